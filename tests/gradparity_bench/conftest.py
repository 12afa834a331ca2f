from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plugins import register
from threadpoolctl import threadpool_limits

from gradparity.protocol import Differentiation, Examples
from gradparity_bench.drawn import EPOCHS, Task, draw
from gradparity_bench.engine import measure
from gradparity_bench.engine.guard import GradientGuard
from gradparity_bench.entries import LR
from gradparity_bench.points import points, spec_at
from gradparity_bench.results import Limits, Measurement
from gradparity_bench.standings import Phases, Point, Rounds, Standing

WRONG = """
from dataclasses import replace
from gradparity_manual import backend as numpy

def functions(spec):
    right = numpy.functions(spec)

    def trace(params, batch):
        values, gradients = right.trace(params, batch)
        first = next(iter(params))
        return values, {**gradients, first: 1.0005 * gradients[first]}

    return right._replace(trace=trace)

backend = replace(numpy, name="wrong", functions=functions)
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """No speed is asserted, and beside other tests, threads that wait for each other take most of the time."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def noise() -> Examples:
    """Examples in the place of MNIST's, of five classes."""
    rng = np.random.default_rng(5)
    return Examples(rng.integers(0, 256, (217, 13), dtype=np.uint8), rng.integers(0, 5, 217), 255.0)


@pytest.fixture(scope="session")
def make_task(noise: Examples) -> Callable[[int], Task]:
    """Give what makes a task on noise in batches of a size."""

    def make(batch_size: int) -> Task:
        point = Point("softmax_regression", {"features": 13, "classes": 5}, batch_size, "float32", 1)
        return Task(point, draw(spec_at(point), noise, seed=42, epochs=EPOCHS), LR)

    return make


@pytest.fixture
def task(make_task: Callable[[int], Task]) -> Task:
    """Batches of which the last is smaller; more of them than are gathered at a time."""
    return make_task(16)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with an installed distribution of two backends: a gradient wrong by 0.05%, and a missing library."""
    (tmp_path / "wrong_backend.py").write_text(WRONG)
    (tmp_path / "lost_backend.py").write_text("import no_such_library")
    backends = {"wrong": "wrong_backend:backend", "lost": "lost_backend:backend"}
    register(tmp_path, "plugins", "gradparity.backends", **backends)
    return tmp_path


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take parity for granted: the check imports JAX and PyTorch, which takes most of the time."""
    monkeypatch.setattr(GradientGuard, "before", lambda *_: ("timed", ""))


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the worker that measures the machine, which imports PyTorch too."""
    real = measure.measure_contestants

    def without_limits(*arguments: Any, limits: bool) -> Measurement:  # noqa: ARG001
        return real(*arguments, limits=False)

    monkeypatch.setattr(measure, "measure_contestants", without_limits)


BY_HAND = {"numpy", "jax-manual", "torch-manual"}
JITTER = (1.001, 0.999, 1.0, 1.002, 0.998)


@pytest.fixture(scope="session")
def make_measurement() -> Callable[..., Measurement]:
    """Give what makes a measurement of an mlp from the seconds of each backend's step; None is one that is missing."""

    def make(
        steps: Mapping[str, float | None], *, again: float = 1.0, threads_seen: float = 1.0, **axes: Any
    ) -> Measurement:
        (point,) = points("mlp", ["widths=64,32,10"], data=None, **{name: [value] for name, value in axes.items()})
        rows = tuple(_row(backend, seconds, threads_seen) for backend, seconds in steps.items())
        first = next((row for row in rows if row.timed), None)
        copy = None if first is None else _row(first.backend, again * (steps[first.backend] or 0.0), threads_seen)
        limits = None if first is None else Limits((1e10,) * 5, (1e10,) * 5)
        flops = 5000 * point.batch_size
        return Measurement(point, flops, 1000 * point.batch_size, 8 * point.batch_size, rows, copy, limits)

    return make


def _row(backend: str, seconds: float | None, threads_seen: float) -> Standing:
    library = backend.partition("-")[0]
    if seconds is None:
        return Standing(backend, "", None, "not installed", f"'{library}' is not installed")
    steps = tuple(seconds * each for each in JITTER)
    epochs, losses = tuple(8 * s for s in steps), tuple(s / 3 for s in steps)
    rounds = Rounds(steps, epochs, losses, steps, (threads_seen,) * len(steps))
    phases = Phases(1.0, 0.25, 1.0, 0.125) if library == "jax" else Phases(0.5, None, None, 0.5)
    method: Differentiation = "hand" if backend in BY_HAND else "machine"
    return Standing(backend, library, method, "timed", "", rounds, phases, 10, 2**28, 2**27, 2.0, {library: "1.0"})
