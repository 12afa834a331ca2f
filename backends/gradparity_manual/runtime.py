"""NumPy as a library of backends: nothing to compile, and steps that reuse their memory."""

import ctypes
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from threadpoolctl import ThreadpoolController

from gradparity.protocol import Array, Batch, Dtype, Examples, ModelSpec, in_dtype
from gradparity.runtime import How, Optimizer, State, Step, UpdateRule, map_arrays
from gradparity_manual import update_rules

SMALL_STEP = 50e6
"""Floating-point operations of a step below which its matrix products run on one thread.

A product with ten columns takes less time than waking a second thread and fetching its share from the other core's
cache; and the thread that waits for the next product keeps its core busy.
"""

KEPT = {-3: 2**30, -1: 2**30}
"""glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in bytes: mallopt(3)."""


class NumpyRuntime:
    """Functions on NumPy arrays, which are called as they are."""

    library = "numpy"

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:
        """Return the function on arrays whose floating-point numbers are cast to ``dtype``."""
        wanted = np.dtype(dtype)

        def cast(array: Array) -> np.ndarray:
            own = np.asarray(array)
            return own if own.dtype == wanted or own.dtype.kind != "f" else own.astype(wanted)

        if how == "step":
            keep_freed_memory()
            return lambda state, batch: function(state, batch.map(cast))
        return lambda *arguments: function(*[map_arrays(cast, argument) for argument in arguments])

    def from_numpy(self, array: np.ndarray) -> np.ndarray:
        """Copy the array."""
        return np.array(array)

    def wait(self, x: Any) -> None:
        """Return at once: NumPy computes nothing asynchronously."""

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return the hand-written update rule, which changes parameters and memory in place."""
        return update_rules.optimizer(rule)

    def load(self, examples: Examples, dtype: Dtype) -> Examples:  # noqa: ARG002
        """Return the examples: NumPy reads them where they are."""
        return examples

    def epoch(self, step: Step, spec: ModelSpec, dtype: Dtype) -> Callable[[State, Any, np.ndarray, int], Any]:
        """Return an epoch that gathers every batch into the same memory, on one thread where steps are small."""

        def epoch(
            state: State, loaded: Examples, order: Int[np.ndarray, " n"], batch_size: int
        ) -> tuple[State, Float[np.ndarray, " steps"]]:
            losses = []
            threads = 1 if spec.flops(batch_size) < SMALL_STEP else None
            # A diverging run overflows: the losses say so, at which step, and a warning beside them would say less.
            with _blas().limit(limits=threads, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
                for batch in _batches(loaded, order, batch_size, dtype):
                    state, loss = step(state, batch)
                    losses.append(loss)
            return state, np.array(losses, dtype=dtype)

        return epoch


@cache
def keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next array, in this process; without glibc nothing changes.

    Otherwise each large array is mapped anew and given back, and its first touch costs more than what is computed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)
    for parameter, size in KEPT.items():
        mallopt(parameter, size)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _batches(examples: Examples, order: Int[np.ndarray, " n"], batch_size: int, dtype: Dtype) -> Iterator[Batch]:
    """Yield the batches, the inputs of each gathered into the same two arrays: as they lie in memory, then as floats.

    A fresh array of this size comes from the operating system page by page, which costs more than filling it. A
    thread that gathers ahead was tried and is slower: it takes a core from the matrix products, and its floats
    then lie in the other core's cache.
    """
    shape = (min(batch_size, len(order)), *examples.x.shape[1:])
    real = examples.x.dtype == np.uint8 or examples.x.dtype.kind == "f"
    raw = np.empty(shape, dtype=examples.x.dtype)
    floats = np.empty(shape, dtype=dtype) if real else raw

    for start in range(0, len(order), batch_size):
        index = order[start : start + batch_size]
        x = floats[: len(index)]
        gathered = np.take(examples.x, index, axis=0, out=raw[: len(index)], mode="clip")
        if real:
            np.copyto(x, gathered, casting="unsafe")
            if examples.divisor != 1.0:
                x /= x.dtype.type(examples.divisor)
        extras = {name: in_dtype(a[index], dtype) for name, a in examples.extras.items()}
        yield Batch(x, in_dtype(examples.y[index], dtype), extras)
