"""No speed without parity: the one place that says why something is not timed.

A backend's gradients are checked on the benchmark's own model, in a process of its own, and after some steps its loss
must be the first one's. A loop from outside names no gradients: its weights after some epochs must be those of the
hand derivation in float64, up to rounding. Both are asked again after the timing.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.parity.budget import FACTOR, ULP
from gradparity.parity.norms import relative_error
from gradparity.parity.report import describe
from gradparity.protocol import Dtype, ModelSpec
from gradparity.subjects.specs import check
from gradparity_bench.drawn import EPOCHS, Task, Weights, own_loop, trained
from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.engine.workload import FINAL_STEPS
from gradparity_bench.entries import Entry
from gradparity_bench.standings import Point, Status

PEER = registry.DEFAULT[0]
"""The hand-derived backend that a machine-derived one is compared with; a hand-derived one has a machine as witness."""
EXAMPLES = 11
"""Examples that are checked: few, because an error shows in few, and the check takes every line many times."""
SAME_LOSS: dict[Dtype, float] = {"float32": 1e-3, "float64": 1e-6}
"""The largest relative difference of two final losses that rounding explains after so few steps."""

Refusal: TypeAlias = tuple[Status, str]
"""A row's status, and the reason; "timed" where nothing speaks against it."""
NONE: Refusal = ("timed", "")
Outcome: TypeAlias = Mapping[str, Any]
"""What a worker's contestant came to: the loss after some steps, or the weights after some epochs."""


@runtime_checkable
class Referee(Protocol):
    """What stands between a contestant and the clock."""

    def before(self, entry: Entry, point: Point) -> Refusal:
        """Say why a contestant is not even started."""

    def loss(self, outcome: Outcome) -> float:
        """Return the loss that a contestant came to."""

    def after(self, outcome: Outcome, first: Outcome, point: Point) -> str:
        """Say why what a contestant came to is wrong, beside what the first one came to; nothing where it is right."""


def gradient_refusal(spec: ModelSpec, name: str, dtype: Dtype = "float32", examples: int = EXAMPLES) -> Refusal:
    """Check a backend in this process: it may be missing, not have the model, or have wrong or unsure gradients."""
    found = registry.availability(name)
    if found.backend is None:
        install = f": run  {found.install}" if found.install else ""
        return "not installed" if found.install else "failed", found.problem + install
    try:
        found.backend.model(spec, dtype)
    except UsageError as error:
        return "not offered", str(error)
    report = check(spec, backends=[name, PEER], n=examples)
    wrong = [describe(row) for row in report.disagreements if name in (row.backend, row.witness)]
    if wrong:
        return "disagrees", f"its gradients disagree in {len(wrong)} comparisons, the first: {wrong[0]}"
    unchecked = [str(each) for each in report.unchecked if each.backend == name]
    return ("failed", unchecked[0]) if unchecked else NONE


@dataclass
class GradientGuard:
    """Checks each backend once for each model at its sizes. One on which the check dies or hangs costs itself only."""

    folder: Path
    patience: float
    workers: list[Worker] = field(default_factory=list)
    """At most one."""
    known: dict[tuple[str, str, str], Refusal] = field(default_factory=dict)

    def before(self, entry: Entry, point: Point) -> Refusal:
        """Say that the backend is missing, has no such model, or has wrong gradients."""
        key = (point.model, json.dumps(dict(point.settings)), entry.name)
        if key not in self.known:
            self.known[key] = self._ask(entry.name, point)
        return self.known[key]

    def loss(self, outcome: Outcome) -> float:
        """Return the loss after FINAL_STEPS steps."""
        return float(outcome["loss"])

    def after(self, outcome: Outcome, first: Outcome, point: Point) -> str:
        """Say that it trains to another loss than the first one."""
        own, other = self.loss(outcome), self.loss(first)
        if math.isclose(own, other, rel_tol=SAME_LOSS[point.dtype]):
            return ""
        return f"its loss after {FINAL_STEPS} steps is {own:.6g}, the first one's from the same start is {other:.6g}"

    def _ask(self, backend: str, point: Point) -> Refusal:
        if not self.workers:
            self.workers.append(Worker(1, self.folder, self.patience))
        try:
            reply = self.workers[0].request("check", backend=backend, point=asdict(point), examples=EXAMPLES)
        except WorkerError as failure:
            self.workers.pop().close()  # the next backend has a new process
            return failure.status, f"in the check of its gradients: {failure.reason}"
        return reply["status"], reply["reason"]


@contextmanager
def gradient_guard(folder: Path, patience: float) -> Iterator[Referee]:
    """Give the guard of backends, whose process lasts as long as the context."""
    guard = GradientGuard(folder, patience)
    try:
        yield guard
    finally:
        for worker in guard.workers:
            worker.close()


@dataclass(frozen=True)
class WeightGuard:
    """Compares the weights after EPOCHS epochs of a task with the truth."""

    task: Task
    truth: Weights
    """In float64."""
    limits: Mapping[str, float]
    """Name -> the largest relative error ‖a − b‖₂ / ‖b‖₂ that float32 rounding explains."""

    def before(self, entry: Entry, point: Point) -> Refusal:  # noqa: ARG002 (the protocol's signature)
        """Say that what it needs is not installed."""
        return ("not installed", entry.missing) if entry.missing else NONE

    def loss(self, outcome: Outcome) -> float:
        """Return the mean cross-entropy over all training examples, computed in float64 for everyone alike."""
        batch = self.task.examples.batch(slice(None), "float64")
        with np.errstate(all="ignore"):  # weights that are no numbers have a loss that is none
            return float(registry.backend(PEER).model(self.task.spec, "float64").loss(_arrays(outcome), batch))

    def after(self, outcome: Outcome, first: Outcome, point: Point) -> str:  # noqa: ARG002 (the protocol's signature)
        """Say that the weights are others, with the loss that they come to."""
        weights = _arrays(outcome)
        errors = {name: relative_error(weights[name], truth) for name, truth in self.truth.items()}
        wrong = next((name for name in errors if not errors[name] <= self.limits[name]), None)
        if wrong is None:
            return ""
        own, right = self.loss(outcome), self.loss({"weights": self.truth})
        return (
            f"its loss after {EPOCHS} epochs is {own:.6f}, not {right:.6f}: "
            f"{wrong} is off by {errors[wrong]:.1e}, at most {self.limits[wrong]:.1e} is rounding"
        )


def weight_guard(task: Task) -> WeightGuard:
    """Train the hand derivation on NumPy in float64 and in float32: their distance is what rounding does.

    The limit is a multiple of that distance, as in ``gradparity.parity.budget``.
    """
    backend = registry.backend(PEER)
    truth, rounded = (trained(own_loop(backend, task, dtype), task.drawn) for dtype in ("float64", "float32"))
    limits = {name: FACTOR * (relative_error(rounded[name], truth[name]) + ULP) for name in truth}
    return WeightGuard(task, truth, limits)


def _arrays(outcome: Outcome) -> Weights:
    return {name: np.asarray(value, np.float64) for name, value in outcome["weights"].items()}
