"""Backend ``numpy``: the hand derivations on NumPy arrays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import ThreadpoolController

from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    Examples,
    HandDerivation,
    ModelFunctions,
    ModelSpec,
    Params,
    Trace,
)
from gradparity_manual import derivation, update_rules
from gradparity_manual.update_rules import Arrays, Optimizer

SMALL_STEP = 50e6
"""Floating-point operations of a step below which its matrix products run on one thread.

A product with ten columns takes less time than waking a second thread and fetching its share from the other core's
cache; and the thread that waits for the next product keeps its core busy.
"""


@dataclass(frozen=True)
class NumpyModel:
    """A spec's mathematics on NumPy arrays in one dtype."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions

    @property
    def derivation(self) -> HandDerivation | None:
        """The hand derivation itself, or None where a machine derives."""
        return self.functions.derivation

    def loss(self, params: Params, batch: Batch) -> Array:
        """Return the loss, a scalar array."""
        return self.functions.loss(self._params(params), self.cast_batch(batch))

    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        """Return the loss and its gradient by parameter name."""
        return self.functions.value_and_grad(self._params(params), self.cast_batch(batch))

    def predict(self, params: Params, x: Array) -> Array:
        """Return the model's output (n, outputs)."""
        return self.functions.predict(self._params(params), np.asarray(x, dtype=self.dtype))

    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""
        values, gradients = self.functions.trace(self._params(params), self.cast_batch(batch))
        return Trace(
            {name: np.asarray(v) for name, v in values.items()},
            {name: np.asarray(g) for name, g in gradients.items()},
        )

    def train_step(self, optimizer: Optimizer) -> "NumpyTrainStep":
        """Return the training step; there is nothing to compile."""
        return NumpyTrainStep(self, optimizer)

    def _params(self, params: Params) -> Arrays:
        return {name: np.asarray(p, dtype=self.dtype) for name, p in params.items()}

    def cast_batch(self, batch: Batch) -> Batch:
        """Return x and real targets in the model's dtype, and labels as they are."""
        y = np.asarray(batch.y)
        y = y.astype(self.dtype, copy=False) if y.dtype.kind == "f" else y
        return Batch(np.asarray(batch.x, dtype=self.dtype), y)


State = tuple[Arrays, Arrays]
"""Parameters, and the optimiser's memory; both updated in place."""


@dataclass(frozen=True)
class NumpyTrainStep:
    """One optimiser step on arrays that are updated in place."""

    model: NumpyModel
    optimizer: Optimizer

    def start(self, params: Params) -> State:
        """Copy the parameters and make the optimiser's memory."""
        own = {name: np.array(p, dtype=self.model.dtype) for name, p in params.items()}
        return own, self.optimizer.start(own)

    def __call__(self, state: State, batch: Batch) -> tuple[State, Array]:
        """Take one step; returns the loss before it."""
        return state, self._step(state, self.model.cast_batch(batch))

    def load(self, examples: Examples) -> Examples:
        """Return the examples: NumPy reads them where they are."""
        return examples

    def epoch(
        self, state: State, loaded: Examples, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[State, Float[np.ndarray, " steps"]]:
        """Step through the examples in this order; returns the loss before each step."""
        losses = []
        threads = 1 if self.model.spec.flops(batch_size) < SMALL_STEP else None
        # A diverging run overflows: the losses say so, at which step, and a warning beside them would say less.
        with _blas().limit(limits=threads, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
            for batch in _batches(loaded, order, batch_size, self.model.dtype):
                losses.append(self._step(state, batch))
        return state, np.array(losses, dtype=self.model.dtype)

    def _step(self, state: State, batch: Batch) -> Array:
        params, memory = state
        loss, gradients = self.model.functions.value_and_grad(params, batch)
        self.optimizer.update(params, gradients, memory)
        return loss

    def params(self, state: State) -> Arrays:
        """Return copies of the parameters, which later steps do not change."""
        return {name: p.copy() for name, p in state[0].items()}


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _batches(examples: Examples, order: Int[np.ndarray, " n"], batch_size: int, dtype: Dtype) -> Iterator[Batch]:
    """Yield the batches, every one gathered into the same two arrays: raw pixels, then floats.

    A fresh array of this size comes from the operating system page by page, which costs more than filling it. A
    thread that gathers ahead was tried and is slower: it takes a core from the matrix products, and its floats
    then lie in the other core's cache.
    """
    shape = (min(batch_size, len(order)), *examples.x.shape[1:])
    raw, floats = np.empty(shape, dtype=examples.x.dtype), np.empty(shape, dtype=dtype)
    for start in range(0, len(order), batch_size):
        index = order[start : start + batch_size]
        x = floats[: len(index)]
        np.copyto(x, np.take(examples.x, index, axis=0, out=raw[: len(index)], mode="clip"), casting="unsafe")
        if examples.divisor != 1.0:
            x /= x.dtype.type(examples.divisor)
        y = examples.y[index]
        yield Batch(x, y.astype(dtype) if y.dtype.kind == "f" else y)


@dataclass(frozen=True)
class NumpyBackend:
    """Models on NumPy arrays, however their gradients are derived."""

    name: str = "numpy"
    library: str = "numpy"
    differentiation: Differentiation = "hand"
    functions: Callable[[ModelSpec], ModelFunctions] = derivation.functions
    """Returns a spec's mathematics. Raises UsageError where there is none."""

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> NumpyModel:
        """Return the spec's model. Raises UsageError where there is no hand derivation of it."""
        return NumpyModel(spec, dtype, self.functions(spec))

    def from_numpy(self, array: np.ndarray) -> np.ndarray:
        """Copy the array."""
        return np.array(array)

    def to_numpy(self, array: Array) -> np.ndarray:
        """Copy the array."""
        return np.array(array)

    def optimizer(self, name: str, **hyperparameters: float) -> Optimizer:
        """Return a hand-written update rule. Raises UsageError for an unknown name or hyperparameter."""
        return update_rules.optimizer(name, **hyperparameters)

    def wait(self, x: Any) -> None:
        """Return at once: NumPy computes nothing asynchronously."""


backend = NumpyBackend()
