"""Small comparisons made by hand, so that a page can be made without training anything."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from gradparity import comparison, timing
from gradparity.comparison import Comparison, TrainedBackend
from gradparity.data import Dataset
from gradparity.models import SoftmaxRegression
from gradparity.parity import Report, Row
from gradparity.parity.problem import LANES
from gradparity.parity.report import Kind
from gradparity.parity.training_parity import TrainingParity, TrainingRow
from gradparity.protocol import Dtype, Examples, ModelSpec
from gradparity.timing import Timings
from gradparity.training import Epoch, Settings

MakeComparison = Callable[..., Comparison]


@pytest.fixture
def quickly_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few rounds, and let nothing settle: no speed is asserted."""
    monkeypatch.setattr(comparison, "ROUNDS", 3)
    monkeypatch.setattr(timing, "SETTLE", 0.0)


@pytest.fixture(scope="session")
def make_comparison() -> MakeComparison:
    return _comparison


@pytest.fixture(scope="session")
def images() -> Dataset:
    return _dataset(image_shape=(3, 4), features=12, classes=5)


@pytest.fixture(scope="session")
def real_targets() -> Dataset:
    dataset = _dataset(image_shape=None, features=7, classes=5)
    y = np.random.default_rng(1).normal(size=(20, 3))
    return replace(dataset, classes=None, train=replace(dataset.train, y=y), test=replace(dataset.test, y=y))


def _dataset(image_shape: tuple[int, int] | None, features: int, classes: int) -> Dataset:
    rng = np.random.default_rng(0)
    examples = Examples(rng.normal(size=(20, features)), rng.integers(classes, size=20))
    return Dataset("little", examples, examples, classes, image_shape)


def _comparison(
    dataset: Dataset,
    spec: ModelSpec | None = None,
    backends: Sequence[str] = ("numpy", "jax"),
    witnesses: Sequence[str] = ("jax", "torch"),
    wrong: Sequence[tuple[str, str]] = (),
    apart: Sequence[str] = (),
    epochs: int = 3,
    differences: Sequence[float] = (0.0, 1e-8, 3e-8),
) -> Comparison:
    """Make a comparison in which the gradients in ``wrong``, (backend, line) each, and training ``apart`` disagree."""
    spec = spec or SoftmaxRegression(features=dataset.features, classes=dataset.outputs)
    report = Report(
        model=spec.name,
        n=11,
        seed=0,
        backends=tuple(backends),
        witnesses=tuple(witnesses),
        rows=tuple(_rows(spec, backends, witnesses, wrong)),
    )
    right = [b for b in backends if report.agrees_for(b) and b not in apart]
    rng = np.random.default_rng(2)
    seconds = {b: tuple(rng.uniform(i + 1, i + 2, size=21)) for i, b in enumerate(right)}
    timings = Timings(seconds, seconds[right[0]]) if right else None
    runs = tuple(_run(b, spec, dataset, epochs, differences if i else [0.0] * epochs) for i, b in enumerate(backends))
    training = _training(backends, apart) if len(backends) > 1 else None
    return Comparison(spec, dataset, Settings(epochs=epochs), report, training, runs, timings)


def _training(backends: Sequence[str], apart: Sequence[str], steps: int = 10) -> TrainingParity:
    """Make the training of backends that agree with jax, but for those ``apart``, whose parameter W does not."""

    def distances(backend: str, lane: Dtype) -> tuple[float, ...]:
        first = 1e-3 if backend in apart else {"float64": 1e-16, "float32": 1e-8}[lane]
        return tuple(first * step for step in range(1, steps + 1))

    budgets: dict[Dtype, float] = {"float64": 1e-14, "float32": 1e-5}
    return TrainingParity(
        model="softmax_regression",
        truth="jax",
        backends=tuple(backends),
        untrained={},
        steps=steps,
        optimizer="sgd",
        lr=0.1,
        seed=0,
        rows=tuple(
            TrainingRow(backend, lane, steps, "W", distances(backend, lane)[-1], budgets[lane])
            for lane in LANES
            for backend in backends
        ),
        distances={lane: {backend: distances(backend, lane) for backend in backends} for lane in LANES},
        budgets={lane: (budget,) * steps for lane, budget in budgets.items()},
    )


def _rows(
    spec: ModelSpec, backends: Sequence[str], witnesses: Sequence[str], wrong: Sequence[tuple[str, str]]
) -> list[Row]:
    values = [line.name for line in spec.derivation if line.forward]
    params = list(spec.param_shapes)
    lines: dict[Kind, list[str]] = {
        "value": values,
        "gradient": [line.name for line in spec.derivation],
        "whole gradient": params,
    }
    return [
        Row(
            line=line,
            kind=kind,
            backend=backend,
            witness=witness,
            lane=lane,
            error=0.5 if kind == "gradient" and (backend, line) in wrong else 1e-16,
            limit=1e-10 if lane == "float64" else 1e-5,
        )
        for lane in LANES
        for backend in backends
        for witness in witnesses
        if witness != backend
        for kind, names in lines.items()
        for line in names
    ]


def _run(backend: str, spec: ModelSpec, dataset: Dataset, epochs: int, differences: Sequence[float]) -> TrainedBackend:
    params = spec.init(np.random.default_rng(3))
    accuracy = None if dataset.classes is None else 0.875
    trained = tuple(Epoch(i, 2.5 / i, accuracy, 0.1, params, i, dict) for i in range(1, epochs + 1))
    gradients = {name: p.astype(np.float32) for name, p in params.items()}
    return TrainedBackend(backend, trained, accuracy, gradients, tuple(differences))
