"""Backends that measure the benchmark itself: their gradients are NumPy's, their training step is a stand-in.

``python -m gradparity_bench.harness`` registers them, as a third party would, for its own processes only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradparity.protocol import Array, Batch, Dtype
from gradparity.runtime import How, Optimizer, State, UpdateRule
from gradparity_manual import backend as numpy

SWEEPS = 400
"""Products that make a step of a few milliseconds."""
SLOWER = 1.02


@dataclass(frozen=True)
class Products:
    """So many small matrix products."""

    count: int

    def __call__(self) -> None:
        """Multiply."""
        a = np.full((48, 48), 0.01, dtype=np.float32)
        for _ in range(self.count):
            a @ a


@dataclass(frozen=True)
class StandInRuntime:
    """NumPy's runtime, but for a training step that trains nothing, and does some work instead."""

    work: Callable[[], None]
    library: str = numpy.library

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:
        """Return the function; in a step's place the work, which returns the state as it is, and a loss of zero."""
        if how != "step":
            return numpy.runtime.compile(function, dtype, how)

        def step(state: State, batch: Batch) -> tuple[State, Array]:  # noqa: ARG001 (as every step is called)
            self.work()
            return state, np.float32(0)

        return step

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy an array."""
        return numpy.runtime.from_numpy(array)

    def wait(self, x: Any) -> None:
        """Nothing is pending."""

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return NumPy's, which no step asks for an update."""
        return numpy.runtime.optimizer(rule)


null = replace(numpy, name="null", runtime=StandInRuntime(lambda: None))
steady = replace(numpy, name="steady", runtime=StandInRuntime(Products(SWEEPS)))
copy = replace(steady, name="copy")
slower = replace(numpy, name="slower", runtime=StandInRuntime(Products(round(SLOWER * SWEEPS))))
