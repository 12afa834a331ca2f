"""JAX's side of the protocols, whoever derives: the backend, and its models, compiled for one dtype.

A backend is ``JaxBackend(name, differentiation, functions)``, with ``functions`` from a spec to its mathematics on
JAX arrays.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from gradparity.errors import UsageError, unknown
from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    HandDerivation,
    ModelFunctions,
    ModelSpec,
    Operations,
    Params,
    Trace,
)
from gradparity_jax.boundary import cast_batch, precision, run
from gradparity_jax.training import OPTIMIZERS, JaxTrainStep


@dataclass(frozen=True)
class JaxBackend:
    """One way of getting a gradient on JAX arrays."""

    name: str
    differentiation: Differentiation
    functions: Callable[[ModelSpec], ModelFunctions]
    """Raises UsageError for a spec that it does not know."""
    library = "jax"

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> "JaxModel":
        """Return the spec's model. Raises UsageError where this backend has none of that name."""
        return JaxModel(spec, dtype, self.functions(spec))

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into JAX's own, dtype kept."""
        with jax.enable_x64(True):
            return jax.device_put(array.copy())

    def to_numpy(self, array: Array) -> np.ndarray:
        """Copy a JAX array to NumPy, dtype kept; waits for it."""
        return np.array(array)

    def optimizer(self, name: str, **hyperparameters: float) -> Any:
        """Return optax's sgd(lr), momentum(lr, momentum=0.9) or adam(lr, beta1=0.9, beta2=0.999, eps=1e-8).

        Momentum: v = μv + g, p −= lr·v (Sutskever et al. 2013, equations 1 and 2, with the learning rate outside v).
        Adam: Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1: bias correction, eps outside the square root.
        Raises UsageError for an unknown name or hyperparameter, and without lr.
        """
        if name not in OPTIMIZERS:
            raise unknown("optimizer", name, OPTIMIZERS)
        known = inspect.signature(OPTIMIZERS[name]).parameters
        for given in hyperparameters:
            if given not in known:
                raise unknown(f"hyperparameter of optimizer '{name}'", given, known)
        if "lr" not in hyperparameters:
            raise UsageError(f"optimizer '{name}' needs its learning rate, got none: pass lr, such as lr=0.1")
        return OPTIMIZERS[name](**hyperparameters)

    def wait(self, x: Any) -> None:
        """Wait until every array in x is computed."""
        jax.block_until_ready(x)  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Free what JAX has compiled so far in this process."""
        jax.clear_caches()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class JaxModel:
    """A spec in one dtype: each function is compiled at its first call for each batch size."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions

    @property
    def derivation(self) -> HandDerivation | None:
        """The hand derivation on JAX arrays, or None where the machine derives."""
        hand = self.functions.derivation
        return None if hand is None else HandDerivation(self._precisely(hand.forward), self._precisely(hand.backward))

    def loss(self, params: Params, batch: Batch) -> Float[Array, ""]:
        """Return the loss, a scalar array."""
        return self._call(self._loss, params, batch)

    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Float[Array, ""], dict[str, Array]]:
        """Return the loss and its gradient by parameter name, each of the parameter's shape."""
        loss, gradients = self._call(self._value_and_grad, params, batch)
        return loss, gradients

    def predict(self, params: Params, x: Array) -> Float[Array, "n outputs"]:
        """Return the model's output: logits for a classifier."""
        return self._call(self._predict, params, x)

    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""
        values, gradients = self._call(self._trace, params, batch)
        return Trace(
            {name: np.asarray(value) for name, value in values.items()},
            {name: np.asarray(gradient) for name, gradient in gradients.items()},
        )

    def operations(self, params: Params, batch: Batch) -> Mapping[str, Operations]:
        """Return the equations of ``value_and_grad``'s jaxpr, line by line; nothing where the hand derives."""
        if self.functions.operations is None:
            return {}
        with precision(self.dtype):
            cast_params = {name: jnp.asarray(value, self.dtype) for name, value in params.items()}
            return self.functions.operations(cast_params, cast_batch(batch, self.dtype))

    def train_step(self, optimizer: Any) -> "JaxTrainStep":
        """Compile a training step with an optimiser of this backend."""
        return JaxTrainStep(self.functions.value_and_grad, self.dtype, optimizer)

    def _precisely(self, function: Callable[..., None]) -> Callable[..., None]:
        def within(params: Params, batch: Batch, *named: Any) -> None:
            with precision(self.dtype):
                function(params, cast_batch(batch, self.dtype), *named)

        return within

    def _call(self, program: Callable[..., Any], params: Params, data: Any) -> Any:
        with precision(self.dtype):
            return run(program, dict(params), data)

    @cached_property
    def _loss(self) -> Callable[..., Any]:
        return self._compile(self.functions.loss, cast_batch)

    @cached_property
    def _value_and_grad(self) -> Callable[..., Any]:
        return self._compile(self.functions.value_and_grad, cast_batch)

    @cached_property
    def _predict(self) -> Callable[..., Any]:
        return self._compile(self.functions.predict, jnp.asarray)

    @cached_property
    def _trace(self) -> Callable[..., Any]:
        def ordered(params: Params, batch: Batch) -> list[OrderedDict[str, Array]]:
            # JAX gives a plain dict back sorted by name; the order of the forward pass would be lost.
            return [OrderedDict(named) for named in self.functions.trace(params, batch)]

        return self._compile(ordered, cast_batch)

    def _compile(self, function: Callable[..., Any], cast: Callable[[Any, Dtype], Any]) -> Callable[..., Any]:
        @jax.jit
        def program(params: dict[str, Array], data: Any) -> Any:
            cast_params = {name: jnp.asarray(value, self.dtype) for name, value in params.items()}
            return function(cast_params, cast(data, self.dtype))

        return program
