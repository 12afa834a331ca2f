"""The one final backend and model, over a model's functions and a library's runtime.

Every built-in backend is a ``RuntimeBackend``; a third party's may be one, or anything else that keeps the protocols.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
from jaxtyping import Float

from gradparity import optimizers
from gradparity.errors import NotOfferedError, UsageError, quoted, unknown
from gradparity.inputs import require_batch
from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    HandDerivation,
    ModelSpec,
    Operations,
    Params,
    Trace,
)
from gradparity.runtime import How, KeepsPrograms, ModelFunctions, Runtime, UpdateRule, to_numpy
from gradparity.spec_traits import KeepsStatistics, PredictsWithExtras
from gradparity.train_step import BackendStep

Program = Callable[..., Any]


@dataclass(frozen=True)
class RuntimeBackend:
    """One way of getting a gradient: who derives, on which library's arrays."""

    name: str
    differentiation: Differentiation
    functions: Callable[[ModelSpec], ModelFunctions]
    """A spec's mathematics; raises UsageError where there is none."""
    runtime: Runtime

    @property
    def library(self) -> str:
        """The library whose arrays it computes on."""
        return self.runtime.library

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> "BackendModel":
        """Return the spec's model. Raises UsageError where this backend has none of that name or dtype."""
        if not isinstance(dtype, str) or dtype not in get_args(Dtype):
            raise unknown("dtype", dtype, get_args(Dtype))
        if not hasattr(spec, "param_shapes") or isinstance(spec, type):
            raise UsageError(f"spec must be a model's spec, got {quoted(spec)}: such as gradparity.SoftmaxRegression()")
        return BackendModel(spec, dtype, self.functions(spec), self.runtime)

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into the library's own, dtype kept."""
        return self.runtime.from_numpy(array)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Copy the library's array to NumPy, dtype kept; waits for it."""
        return to_numpy(self.runtime, array)

    def optimizer(self, name: str, **hyperparameters: Any) -> UpdateRule:
        """Return a rule of ``gradparity.optimizers`` by its name, with a rate and what its spec lets one set.

        Raises UsageError for an unknown name or hyperparameter, without lr, and for one that is out of range.
        """
        return optimizers.named(name, **hyperparameters)

    def wait(self, x: Any) -> None:
        """Wait until every array in x is computed."""
        self.runtime.wait(x)

    def forget(self) -> None:
        """Free what the library has compiled so far in this process, where it compiles."""
        if isinstance(self.runtime, KeepsPrograms):
            self.runtime.forget()


@dataclass(frozen=True, eq=False)
class BackendModel:
    """A spec in one dtype. NumPy arrays and the library's own come in; each function is compiled when first called."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions
    runtime: Runtime

    def loss(self, params: Params, batch: Batch) -> Float[Array, ""]:
        """Return the loss, a scalar array."""
        return self._call(self._loss, params, batch)

    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Float[Array, ""], dict[str, Array]]:
        """Return the loss and its gradient by parameter name, each of the parameter's shape."""
        found: tuple[Array, dict[str, Array]] = self._call(self._value_and_grad, params, batch)
        return found

    def predict(
        self, params: Params, x: Array, extras: Mapping[str, Array] | None = None
    ) -> Float[Array, "n *outputs"]:
        """Return the model's output: logits for a classifier. Of a batch's extras it takes those that it needs.

        Raises UsageError where the model has only a loss, and where statistics or an extra are missing.
        """
        params = dict(params)
        if missing := [name for name in self._statistics if name not in params]:
            raise UsageError(
                f"{self.spec.name}: predict needs the statistics beside the parameters, got no {', '.join(missing)}: "
                "pass what the training step's params() returns"
            )
        if not self._prediction_extras:
            return self._predict(params, x)
        given = extras or {}
        for name in self._prediction_extras:
            if name not in given:
                raise UsageError(
                    f"{self.spec.name}: predict needs the batch's extra '{name}', got {', '.join(given) or 'none'}: "
                    "pass batch.extras"
                )
        return self._predict(params, x, {name: given[name] for name in self._prediction_extras})

    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""
        values, gradients = self._call(self._trace, params, batch)
        return Trace(self._to_numpy(values), self._to_numpy(gradients))

    @property
    def derivation(self) -> HandDerivation | None:
        """The hand derivation on the library's arrays, or None where a machine derives."""
        hand = self.functions.derivation
        return None if hand is None else HandDerivation(self._eagerly(hand.forward), self._eagerly(hand.backward))

    def operations(self, params: Params, batch: Batch) -> Mapping[str, Operations]:
        """Return the machine's own operations, line by line; nothing where they are not told."""
        if self.functions.operations is None:
            return {}
        found: Mapping[str, Operations] = self._compile(self.functions.operations, "eager")(params, batch)
        return found

    def hessian_vector(self, params: Params, batch: Batch, v: Params) -> Mapping[str, Array]:
        """Return H·v by parameter name, by the library's own autodiff; nothing where that is not told."""
        if self.functions.hessian_vector is None:
            return {}
        program = self._compile(self.functions.hessian_vector)
        found: Mapping[str, Array] = program(self._without_statistics(params), batch, self._without_statistics(v))
        return found

    def train_step(self, optimizer: Any) -> "BackendStep":
        """Return a training step by a rule. Raises UsageError for anything else, and where statistics are not told."""
        if not isinstance(optimizer, UpdateRule):
            raise UsageError(
                f"train_step takes an optimizer, got {type(optimizer).__name__}: "
                "make it with backend.optimizer('sgd', lr=0.1)"
            )
        if isinstance(self.spec, KeepsStatistics) and self.spec.statistics and self.functions.observing is None:
            raise UsageError(
                f"{self.spec.name}: this backend tells no named values, and its statistics are updated from "
                f"{', '.join(self.spec.observed)}: give its ModelFunctions 'observing'"
            )
        return BackendStep(self.spec, self.dtype, self.functions, self.runtime, self.runtime.optimizer(optimizer))

    def _call(self, program: Program, params: Params, batch: Batch) -> Any:
        """Call a program; what it raises of arrays that the model does not take is told as such."""
        try:
            if len(batch.x) > 0:
                return program(self._without_statistics(params), batch)
        except Exception:
            _require_params(self.spec, params)
            require_batch(self.spec, batch)
            raise
        raise UsageError(f"batch must hold at least one example for {self.spec.name}, got none")

    def _compile(self, function: Program, how: How = "program") -> Program:
        return self.runtime.compile(function, self.dtype, how)

    def _eagerly(self, function: Callable[..., None]) -> Callable[..., None]:
        def call(params: Params, batch: Batch, *named: Any) -> None:
            self._compile(lambda p, b: function(p, b, *named), "eager")(params, batch)

        return call

    def _without_statistics(self, params: Params) -> Params:
        if not self._statistics:
            # jit knows a dict, and no other mapping.
            return params if isinstance(params, dict) else dict(params)
        return {name: value for name, value in params.items() if name not in self._statistics}

    # To ask whether a spec keeps a protocol evaluates its properties: once, and not in every call.
    @cached_property
    def _statistics(self) -> dict[str, np.ndarray]:
        return self.spec.statistics if isinstance(self.spec, KeepsStatistics) else {}

    @cached_property
    def _prediction_extras(self) -> tuple[str, ...]:
        return self.spec.prediction_extras if isinstance(self.spec, PredictsWithExtras) else ()

    def _to_numpy(self, named: Mapping[str, Array]) -> dict[str, np.ndarray]:
        return {name: to_numpy(self.runtime, value) for name, value in named.items()}

    @cached_property
    def _loss(self) -> Program:
        value_and_grad = self.functions.value_and_grad
        return self._compile(self.functions.loss or (lambda params, batch: value_and_grad(params, batch)[0]))

    @cached_property
    def _value_and_grad(self) -> Program:
        return self._compile(self.functions.value_and_grad)

    @cached_property
    def _predict(self) -> Program:
        if self.functions.predict is None:
            raise NotOfferedError(f"{self.spec.name}: this model has no predict, only a loss: use loss or trace")
        return self._compile(self.functions.predict)

    @cached_property
    def _trace(self) -> Program:
        return self._compile(self.functions.trace or self._trace_of_ends, "trace")

    def _trace_of_ends(self, params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
        """The names that every model has: the loss, and the parameters."""
        loss, gradients = self.functions.value_and_grad(params, batch)
        return {"loss": loss}, {**gradients, "loss": loss * 0 + 1}


def _require_params(spec: ModelSpec, params: object) -> None:
    """Raise UsageError unless the parameters are arrays of the names and shapes of a spec."""
    if not isinstance(params, Mapping):
        raise UsageError(f"params must be named arrays, got {quoted(params)}: start from spec.init(rng)")
    for name, shape in spec.param_shapes.items():
        if name not in params:
            raise UsageError(
                f"params must have '{name}' for {spec.name}, got {', '.join(map(str, params)) or 'nothing'}"
            )
        found = getattr(params[name], "shape", None)
        if found is None or tuple(found) != shape:
            said = quoted(params[name]) if found is None else f"shape {tuple(found)}"
            raise UsageError(f"params['{name}'] of {spec.name} must be an array of shape {shape}, got {said}")
