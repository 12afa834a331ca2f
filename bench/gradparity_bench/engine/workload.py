"""What is timed in a worker: a contestant's training, as calls that can be repeated."""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gradparity.errors import UsageError
from gradparity.manifest import manifest
from gradparity.protocol import Backend, Batch, Model, TrainStep
from gradparity.runtime import CompilesInStages
from gradparity_bench.drawn import Drawn, Loop, Task, Trainer, own_loop, trained
from gradparity_bench.points import spec_at
from gradparity_bench.standings import Point

LEARNING_RATE = 1e-3
"""Small, so that the numbers stay those of ordinary training for as long as is timed."""
FINAL_STEPS = 20
"""Steps after which the loss must be the same in every row."""

Repeat = Callable[[int], Callable[[], None]]
"""Given a count, makes ready and returns what is timed: so many calls, and the waiting for their results."""


@runtime_checkable
class Contestant(Protocol):
    """Whatever is timed: given the drawn weights, examples and orders, it has calls that can be repeated."""

    @property
    def about(self) -> dict[str, Any]:
        """What belongs into its standing from the start."""

    def first(self) -> dict[str, float]:
        """Do for the first time what is timed; return the seconds of each phase that is paid once."""

    def outcome(self) -> dict[str, Any]:
        """Return what training comes to from the drawn weights, each time anew: what the guard judges."""

    def calls(self) -> dict[str, Repeat]:
        """Return everything that is timed, by its name."""


@dataclass(frozen=True)
class Steps:
    """A backend's model and its training step, with the arrays that they run on."""

    backend: Backend
    point: Point
    drawn: Drawn
    model: Model
    step: TrainStep
    batch: Batch
    """In the backend's own arrays."""

    @property
    def about(self) -> dict[str, Any]:
        """What the backend says of itself."""
        return {"library": self.backend.library, "differentiation": self.backend.differentiation}

    def first(self) -> dict[str, float]:
        """Take the first step; return the seconds of each stage, and of what is left under "first_step"."""
        state = self.step.start(self.drawn.params)
        self.backend.wait((state, self.batch))
        seconds: dict[str, float] = {}
        began = time.perf_counter()
        if isinstance(self.step, CompilesInStages):
            for stage in self.step.stages(state, self.batch):
                now = time.perf_counter()
                seconds[stage] = now - began
                began = now
        self.backend.wait(self.step(state, self.batch))
        return seconds | {"first_step": time.perf_counter() - began}

    def outcome(self) -> dict[str, Any]:
        """Return the loss on the batch after so many steps from the drawn parameters. Raises UsageError for no number.

        Nothing that diverges is timed.
        """
        state = self.step.start(self.drawn.params)
        for _ in range(FINAL_STEPS):
            state, _ = self.step(state, self.batch)
        loss = float(self.backend.to_numpy(self.model.loss(self.step.params(state), self.batch)))
        if not np.isfinite(loss):
            raise UsageError(f"its loss after {FINAL_STEPS} steps is {loss}: give the model smaller inputs or weights")
        return {"loss": loss}

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
                state, _ = self.step.epoch(state, loaded, self.drawn.orders[0], self.point.batch_size)

        return timed

    def _evaluations(self, function: Callable[..., Any], params: Any, count: int) -> Callable[[], None]:
        batch, wait = self.batch, self.backend.wait

        def timed() -> None:
            for _ in range(count):
                # One by one: independent of each other, they could otherwise run at the same time.
                wait(function(params, batch))

        return timed


@dataclass(frozen=True)
class Epochs:
    """A loop that trains whole epochs; its own backend's or one from outside."""

    prepare: Loop
    task: Task
    about: dict[str, Any]
    trainer: Trainer

    def first(self) -> dict[str, float]:
        """Train the first epoch; return its seconds."""
        began = time.perf_counter()
        self.trainer.epoch(self.task.drawn.orders[0])
        return {"first_step": time.perf_counter() - began}

    def outcome(self) -> dict[str, Any]:
        """Return the weights after the drawn epochs, trained anew from the drawn weights."""
        weights = trained(self.prepare(self.task), self.task.drawn)
        return {"weights": {name: value.tolist() for name, value in weights.items()}}

    def calls(self) -> dict[str, Repeat]:
        """Return the epoch, by its name."""

        def epochs(count: int) -> Callable[[], None]:
            def timed() -> None:
                for _ in range(count):
                    self.trainer.epoch(self.task.drawn.orders[-1])

            return timed

        return {"epoch": epochs}


def steps(backend: Backend, point: Point, drawn: Drawn) -> Contestant:
    """Return what is timed of a backend at a point. Raises UsageError where it has no such model."""
    model = backend.model(spec_at(point), point.dtype)
    step = model.train_step(backend.optimizer("sgd", lr=LEARNING_RATE))
    batch = drawn.examples.batch(slice(0, point.batch_size), point.dtype)
    return Steps(backend, point, drawn, model, step, batch.map(backend.from_numpy))


def epochs(source: Backend | Loop, task: Task) -> Contestant:
    """Return what is timed of a loop, or of a backend's own."""
    if not isinstance(source, Backend):
        return Epochs(source, task, {}, source(task))
    prepare = partial(own_loop, source)
    about = {"library": source.library, "differentiation": source.differentiation}
    return Epochs(prepare, task, about, prepare(task))


def without_garbage_collection() -> None:
    """Collect once, and no more: a collection in one worker's turn would count as its cost."""
    gc.collect()
    gc.freeze()
    gc.disable()


def imported_versions() -> dict[str, str]:
    """Return the versions of the distributions of the manifest that this process has imported."""
    return {name: version for name, version in manifest().items() if name in sys.modules}
