"""The one final backend, model and training step, over a model's functions and a library's runtime.

Every built-in backend is a ``RuntimeBackend``; a third party's may be one, or anything else that keeps the protocols.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gradparity import optimizers
from gradparity.errors import UsageError
from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    Examples,
    HandDerivation,
    KeepsStatistics,
    ModelSpec,
    Operations,
    Params,
    PredictsWithExtras,
    Trace,
)
from gradparity.runtime import (
    CompilesInStages,
    KeepsPrograms,
    ModelFunctions,
    Optimizer,
    Rule,
    RunsEpochs,
    Runtime,
    State,
    Step,
)

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
        """Return the spec's model. Raises UsageError where this backend has none of that name."""
        return BackendModel(spec, dtype, self.functions(spec), self.runtime)

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into the library's own, dtype kept."""
        return self.runtime.from_numpy(array)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Copy the library's array to NumPy, dtype kept; waits for it."""
        return to_numpy(self.runtime, array)

    def optimizer(self, name: str, **hyperparameters: float) -> Rule:
        """Return sgd(lr), momentum(lr, momentum=0.9) or adam(lr, beta1=0.9, beta2=0.999, eps=1e-8).

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


def to_numpy(runtime: Runtime, array: Array) -> np.ndarray:
    """Copy a library's array to NumPy, dtype kept; waits for it."""
    runtime.wait(array)
    return np.array(np.asarray(array))


@dataclass(frozen=True, eq=False)
class BackendModel:
    """A spec in one dtype. NumPy arrays and the library's own come in; each function is compiled when first called."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions
    runtime: Runtime

    def loss(self, params: Params, batch: Batch) -> Float[Array, ""]:
        """Return the loss, a scalar array."""
        return self._loss(self._without_statistics(params), batch)

    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Float[Array, ""], dict[str, Array]]:
        """Return the loss and its gradient by parameter name, each of the parameter's shape."""
        loss, gradients = self._value_and_grad(self._without_statistics(params), batch)
        return loss, gradients

    def predict(
        self, params: Params, x: Array, extras: Mapping[str, Array] | None = None
    ) -> Float[Array, "n *outputs"]:
        """Return the model's output: logits for a classifier. Of a batch's extras it takes those that it needs.

        Raises UsageError where the model has only a loss, and where an extra is missing.
        """
        if not isinstance(self.spec, PredictsWithExtras):
            return self._predict(params, x)
        given = extras or {}
        for name in self.spec.prediction_extras:
            if name not in given:
                raise UsageError(
                    f"{self.spec.name}: predict needs the batch's extra '{name}', got {', '.join(given) or 'none'}: "
                    "pass batch.extras"
                )
        return self._predict(params, x, {name: given[name] for name in self.spec.prediction_extras})

    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""
        values, gradients = self._trace(self._without_statistics(params), batch)
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

    def train_step(self, optimizer: Any) -> "BackendStep":
        """Return a training step by a rule. Raises UsageError for anything else, and where statistics are not told."""
        if not isinstance(optimizer, Rule):
            raise UsageError(
                f"train_step takes an optimizer, got {type(optimizer).__name__}: "
                "make it with backend.optimizer('sgd', lr=0.1)"
            )
        if isinstance(self.spec, KeepsStatistics) and self.functions.observing is None:
            raise UsageError(
                f"{self.spec.name}: this backend tells no named values, and its statistics are updated from "
                f"{', '.join(self.spec.observed)}: give its ModelFunctions 'observing'"
            )
        return BackendStep(self, self.runtime.optimizer(optimizer))

    def _compile(self, function: Program, how: Any = "program") -> Program:
        return self.runtime.compile(function, self.dtype, how)

    def _eagerly(self, function: Callable[..., None]) -> Callable[..., None]:
        def call(params: Params, batch: Batch, *named: Any) -> None:
            self._compile(lambda p, b: function(p, b, *named), "eager")(params, batch)

        return call

    def _without_statistics(self, params: Params) -> Params:
        if not isinstance(self.spec, KeepsStatistics):
            return params
        return {name: value for name, value in params.items() if name not in self.spec.statistics}

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
            raise UsageError(f"{self.spec.name}: this model has no predict, only a loss: use loss or trace")
        return self._compile(self.functions.predict)

    @cached_property
    def _trace(self) -> Program:
        return self._compile(self.functions.trace or self._trace_of_ends)

    def _trace_of_ends(self, params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
        """The names that every model has: the loss, and the parameters."""
        loss, gradients = self.functions.value_and_grad(params, batch)
        return {"loss": loss}, {**gradients, "loss": loss * 0 + 1}


@dataclass(frozen=True, eq=False)
class BackendStep:
    """One optimiser step, and an epoch made of it. A state is used up by the call that it is passed to."""

    model: BackendModel
    optimizer: Optimizer

    def start(self, params: Params) -> State:
        """Return the state before the first step. ``params`` is copied, never changed.

        Statistics start where the spec says, or where ``params`` has them.
        """
        spec = self.model.spec
        initial = spec.statistics if isinstance(spec, KeepsStatistics) else {}
        own = self._copies({**initial, **params})
        kept, memory = self.model._compile(self.optimizer.start, "eager")(
            {name: value for name, value in own.items() if name not in initial}
        )
        return State(kept, {name: own[name] for name in initial}, memory, 0)

    def params(self, state: State) -> dict[str, Array]:
        """Return copies of the state's parameters, and of its statistics beside them, which later steps leave alone."""
        restored = self.model._compile(self.optimizer.params, "eager")(state.params)
        return self._copies({**restored, **state.statistics})

    def __call__(self, state: State, batch: Batch) -> tuple[State, Float[Array, ""]]:
        """Take one step. Returns the new state and the loss before the step; work may be pending."""
        new_state, loss = self._program(state, batch)
        return new_state, loss

    def stages(self, state: State, batch: Batch) -> Iterator[str]:
        """Do ahead what the first call with these shapes would do, and name each stage; none where nothing compiles."""
        if isinstance(self._program, CompilesInStages):
            yield from self._program.stages(state, batch)

    def load(self, examples: Examples) -> Any:
        """Make the examples ready. They may be read where they are: leave them unchanged while they are in use."""
        runtime = self.model.runtime
        return runtime.load(examples, self.model.dtype) if isinstance(runtime, RunsEpochs) else examples

    def epoch(
        self, state: State, loaded: Any, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[State, Float[np.ndarray, " steps"]]:
        """Step through the loaded examples in this order; the last batch may be smaller.

        Returns the new state and the loss before each step; waits for both. Raises UsageError where ``order`` names
        an example that there is not.
        """
        n = len(loaded)
        if order.size and not (order.min() >= 0 and order.max() < n):
            raise UsageError(
                f"order must hold indices from 0 to {n - 1}, got {order.min()} to {order.max()}: "
                "draw it as a permutation of the loaded examples"
            )
        new_state, losses = self._epoch(state, loaded, order, batch_size)
        return new_state, losses

    def _copies(self, named: Params) -> dict[str, Array]:
        own = self.model._compile(lambda arrays: arrays, "eager")(named)
        return {name: self.model.runtime.from_numpy(value) for name, value in self.model._to_numpy(own).items()}

    @cached_property
    def _program(self) -> Program:
        return self.model._compile(self._step, "step")

    @cached_property
    def _epoch(self) -> Program:
        runtime = self.model.runtime
        if isinstance(runtime, RunsEpochs):
            return runtime.epoch(self._step, self.model.spec, self.model.dtype)
        return self._one_by_one

    def _one_by_one(
        self, state: State, loaded: Examples, order: np.ndarray, batch_size: int
    ) -> tuple[State, np.ndarray]:
        dtype, losses = self.model.dtype, []
        for start in range(0, len(order), batch_size):
            state, loss = self(state, loaded.batch(order[start : start + batch_size], dtype))
            losses.append(to_numpy(self.model.runtime, loss))
        return state, np.array(losses, dtype)

    @cached_property
    def _step(self) -> Step:
        """The mathematics of a step, as every runtime compiles it."""
        spec, optimizer = self.model.spec, self.optimizer
        value_and_grad = self.model.functions.value_and_grad

        def step(state: State, batch: Batch) -> tuple[State, Array]:
            loss, gradients = value_and_grad(optimizer.params(state.params), batch)
            params, memory = optimizer.update(state.params, gradients, state.memory, state.step)
            return State(params, state.statistics, memory, state.step + 1), loss

        if not isinstance(spec, KeepsStatistics):
            return step
        observing = self.model.functions.observing
        assert observing is not None  # train_step refuses this
        observe = observing(spec.observed)

        def step_with_statistics(state: State, batch: Batch) -> tuple[State, Array]:
            loss, gradients, values = observe(optimizer.params(state.params), batch)
            params, memory = optimizer.update(state.params, gradients, state.memory, state.step)
            return State(params, spec.update(state.statistics, values), memory, state.step + 1), loss

        return step_with_statistics
