"""Backends that measure the benchmark itself: their gradients are NumPy's, their training step is a stand-in.

``python -m gradparity_bench.harness`` registers them, as a third party would, for its own processes only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradparity.model import BackendModel, RuntimeBackend
from gradparity.protocol import Batch, Dtype, Examples, ModelSpec, Params
from gradparity_manual import backend as numpy

SWEEPS = 400
"""Products that make a step of a few milliseconds."""
SLOWER = 1.05


@dataclass(frozen=True)
class StandInStep:
    """A training step that trains nothing, and does some work instead."""

    work: Callable[[], None]

    def start(self, params: Params) -> Any:
        """Return the parameters, which stay as they are."""
        return dict(params)

    def __call__(self, state: Any, batch: Batch) -> tuple[Any, Any]:  # noqa: ARG002 (the protocol's signature)
        """Do the work. Returns the state, and a loss of zero."""
        self.work()
        return state, np.float32(0)

    def load(self, examples: Examples) -> Examples:
        """Return the examples."""
        return examples

    def epoch(
        self,
        state: Any,
        loaded: Examples,  # noqa: ARG002
        order: np.ndarray,
        batch_size: int,
    ) -> tuple[Any, np.ndarray]:
        """Do the work once for each batch."""
        steps = -(-len(order) // batch_size)
        for _ in range(steps):
            self.work()
        return state, np.zeros(steps)

    def params(self, state: Any) -> dict[str, np.ndarray]:
        """Return the parameters."""
        return dict(state)


@dataclass(frozen=True, eq=False)
class StandInModel(BackendModel):
    """NumPy's model with a stand-in for its training step."""

    work: Callable[[], None]

    def train_step(self, optimizer: Any) -> StandInStep:  # type: ignore[override]  # noqa: ARG002
        """Return the stand-in."""
        return StandInStep(self.work)


@dataclass(frozen=True)
class StandIn(RuntimeBackend):
    """NumPy's backend with a stand-in for the training step."""

    work: Callable[[], None] = lambda: None

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> StandInModel:
        """Return NumPy's model with the stand-in."""
        right = super().model(spec, dtype)
        return StandInModel(right.spec, right.dtype, right.functions, right.runtime, self.work)


@dataclass(frozen=True)
class Products:
    """So many small matrix products."""

    count: int

    def __call__(self) -> None:
        """Multiply."""
        a = np.full((48, 48), 0.01, dtype=np.float32)
        for _ in range(self.count):
            a @ a


null = StandIn("null", numpy.differentiation, numpy.functions, numpy.runtime)
steady = replace(null, name="steady", work=Products(SWEEPS))
copy = replace(null, name="copy", work=Products(SWEEPS))
slower = replace(null, name="slower", work=Products(round(SLOWER * SWEEPS)))
