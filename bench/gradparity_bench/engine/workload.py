"""What is timed in a worker: one backend's model at one point, as calls that can be repeated."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gradparity.errors import UsageError
from gradparity.manifest import manifest
from gradparity.protocol import Backend, Batch, Examples, Model, TrainStep
from gradparity_bench.points import spec_at
from gradparity_bench.results import Point

LEARNING_RATE = 1e-3
"""Small, so that the numbers stay those of ordinary training for as long as is timed."""
FINAL_STEPS = 20
"""Steps after which the loss must be the same in every row."""

Repeat = Callable[[int], Callable[[], None]]
"""Given a count, makes ready and returns what is timed: so many calls, and the waiting for their results."""


@runtime_checkable
class StagedStep(Protocol):
    """What a TrainStep may have beside: the work of its first call ahead of it, in stages that are timed apart."""

    def stages(self, state: Any, batch: Batch) -> Iterator[str]:
        """Do the next stage, and yield its name, "trace" or "compile". The state is not consumed."""


@dataclass(frozen=True)
class Drawn:
    """What every worker of a point starts from; drawn once, by the parent."""

    params: dict[str, np.ndarray]
    examples: Examples
    """Those of an epoch; the first batch of them is that of every step."""
    order: np.ndarray

    def save(self, path: Path) -> None:
        """Write the arrays for the workers."""
        named = {f"params.{name}": value for name, value in self.params.items()}
        np.savez(path, x=self.examples.x, y=self.examples.y, order=self.order, **named)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Drawn":
        """Read what ``save`` wrote."""
        with np.load(path) as file:
            named = {name.removeprefix("params."): file[name] for name in file if name.startswith("params.")}
            return cls(named, Examples(file["x"], file["y"]), file["order"])


@dataclass(frozen=True)
class Workload:
    """A model and its training step, with the arrays that they run on."""

    backend: Backend
    point: Point
    drawn: Drawn
    model: Model
    step: TrainStep
    batch: Batch
    """In the backend's own arrays."""

    def first_step(self) -> dict[str, float]:
        """Take the first step; return the seconds of each stage, and of what is left under "first_step"."""
        state = self.step.start(self.drawn.params)
        self.backend.wait((state, self.batch))
        seconds: dict[str, float] = {}
        began = time.perf_counter()
        if isinstance(self.step, StagedStep):
            for stage in self.step.stages(state, self.batch):
                now = time.perf_counter()
                seconds[stage] = now - began
                began = now
        self.backend.wait(self.step(state, self.batch))
        return seconds | {"first_step": time.perf_counter() - began}

    def final_loss(self) -> float:
        """Return the loss on the batch after so many steps from the drawn parameters."""
        state = self.step.start(self.drawn.params)
        for _ in range(FINAL_STEPS):
            state, _ = self.step(state, self.batch)
        loss = self.model.loss(self.step.params(state), self.batch)
        return float(self.backend.to_numpy(loss))

    def calls(self) -> dict[str, Repeat]:
        """Return everything that is timed, by its name."""
        loaded = self.step.load(self.drawn.examples)
        params = {
            name: self.backend.from_numpy(value.astype(self.point.dtype)) for name, value in self.drawn.params.items()
        }
        return {
            "step": self._steps,
            "epoch": lambda count: self._epochs(loaded, count),
            "loss": lambda count: self._evaluations(self.model.loss, params, count),
            "value_and_grad": lambda count: self._evaluations(self.model.value_and_grad, params, count),
        }

    def _steps(self, count: int) -> Callable[[], None]:
        state = self.step.start(self.drawn.params)
        self.backend.wait(state)
        # Names of the function's own are found faster than attributes, and nothing else is wanted in the loop.
        step, batch, wait = self.step, self.batch, self.backend.wait

        def timed() -> None:
            nonlocal state
            for _ in range(count):
                state, loss = step(state, batch)
            wait((state, loss))

        return timed

    def _epochs(self, loaded: Any, count: int) -> Callable[[], None]:
        state = self.step.start(self.drawn.params)
        self.backend.wait((state, loaded))

        def timed() -> None:
            nonlocal state
            for _ in range(count):
                state, _ = self.step.epoch(state, loaded, self.drawn.order, self.point.batch_size)

        return timed

    def _evaluations(self, function: Callable[..., Any], params: Any, count: int) -> Callable[[], None]:
        batch, wait = self.batch, self.backend.wait

        def timed() -> None:
            for _ in range(count):
                # One by one: independent of each other, they could otherwise run at the same time.
                wait(function(params, batch))

        return timed


def workload(backend: Backend, point: Point, drawn: Drawn) -> Workload:
    """Return a backend's workload at a point. Raises UsageError where it has no such model."""
    spec = spec_at(point)
    model = backend.model(spec, point.dtype)
    step = model.train_step(backend.optimizer("sgd", lr=LEARNING_RATE))
    batch = drawn.examples.batch(slice(0, point.batch_size), point.dtype)
    return Workload(backend, point, drawn, model, step, batch.map(backend.from_numpy))


def without_garbage_collection() -> None:
    """Collect once, and no more: a collection in one worker's turn would count as its cost."""
    gc.collect()
    gc.freeze()
    gc.disable()


def imported_versions() -> dict[str, str]:
    """Return the versions of the distributions of the manifest that this process has imported."""
    return {name: version for name, version in manifest().items() if name in sys.modules}


def require_finite(loss: float) -> float:
    """Return the loss. Raises UsageError where it is no number: nothing that diverges is timed."""
    if not np.isfinite(loss):
        raise UsageError(f"its loss after {FINAL_STEPS} steps is {loss}: give the model smaller inputs or weights")
    return loss
