"""What an operation costs in every model, at the sizes of its data set, on every backend whose gradients agree.

One backend is timed after another. Ratios are steadier from ``gradparity bench``, where the backends take turns. The
ratio of ``test_gradient`` to ``test_forward`` is the price of a gradient.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jaxtyping
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity import data, registry
from gradparity.data import Dataset
from gradparity.manifest import manifest
from gradparity.models import RegisteredSpec, data_of, names, spec_for_data
from gradparity.protocol import Backend, Batch, Dtype, TrainStep
from gradparity_bench.engine import limits as machine
from gradparity_bench.engine.guard import gradient_refusal
from gradparity_bench.points import step_bytes
from gradparity_bench.results import Limits

BATCH_SIZE = 64
DTYPE: Dtype = "float32"
TRIALS = 5
WORK = {"multiply": machine.MULTIPLY_FLOPS, "copy": machine.MOVED}
"""Operations of one call of the one, bytes of one call of the other."""


@pytest.fixture(scope="session", params=names())
def model(request: pytest.FixtureRequest) -> str:
    """Each model in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def dataset(model: str) -> Dataset:
    """The embedded data set that the model learns from."""
    return data.load(data_of(model))


@pytest.fixture(scope="session")
def spec(model: str, dataset: Dataset) -> RegisteredSpec:
    """The model at the sizes of its data set."""
    return spec_for_data(model, dataset)


_refusal = cache(gradient_refusal)


@pytest.fixture(scope="session", params=registry.names())
def backend(request: pytest.FixtureRequest, spec: RegisteredSpec) -> Backend:
    """Each registered backend in turn; skips, with the reason, one that is missing or whose gradients disagree."""
    status, reason = _refusal(spec, request.param)
    if status != "timed":
        pytest.skip(reason)
    return registry.backend(request.param)


@pytest.fixture
def params(spec: RegisteredSpec) -> dict[str, np.ndarray]:
    """Initial parameters, in float64."""
    return spec.init(np.random.default_rng(42))


@pytest.fixture
def native(params: dict[str, np.ndarray], backend: Backend) -> dict[str, Any]:
    """The same in the backend's own arrays."""
    return {name: backend.from_numpy(value.astype(DTYPE)) for name, value in params.items()}


@pytest.fixture
def batch(dataset: Dataset, backend: Backend) -> Batch:
    """The first batch, in the backend's own arrays."""
    return dataset.train.batch(slice(0, BATCH_SIZE), "float32").map(backend.from_numpy)


@pytest.fixture
def step(spec: RegisteredSpec, backend: Backend) -> TrainStep:
    """A training step of plain gradient descent."""
    return backend.model(spec).train_step(backend.optimizer("sgd", lr=0.1))


@pytest.fixture(scope="session")
def limits() -> Limits:
    """What this machine could do at best, measured once."""
    calls = machine.calls(DTYPE, int(manifest()["cores"]))
    rates = {name: tuple(work / _seconds(calls[name](1)) for _ in range(TRIALS)) for name, work in WORK.items()}
    return Limits(rates["multiply"], rates["copy"])


@pytest.fixture(autouse=True)
def _without_shape_checks() -> Iterator[None]:
    """The tests check shapes at run time, which would be timed too."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def clock(
    benchmark: BenchmarkFixture,
    operation: str,
    spec: RegisteredSpec,
    backend: Backend,
    call: Callable[..., Any],
    arguments: Callable[[], tuple[Any, ...]],
    rounds: int,
) -> None:
    """Time ``call(*arguments())``, with the arguments made outside the timed region, anew for each round.

    The backends of one model stand under one another; ``flops_per_step`` is always that of a training step.
    """

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        fresh = arguments()
        backend.wait(fresh)
        return fresh, {}

    def blocked(*fresh: Any) -> None:
        backend.wait(call(*fresh))

    benchmark.group = f"{spec.name}: {operation}"
    benchmark.extra_info.update(
        model=spec.name,
        backend=backend.name,
        dtype=DTYPE,
        batch_size=BATCH_SIZE,
        flops_per_step=spec.flops(BATCH_SIZE),
        manifest=manifest(),
    )
    benchmark.pedantic(blocked, setup=setup, rounds=rounds, warmup_rounds=max(2, rounds // 10))  # type: ignore[no-untyped-call]


def beside_the_limit(benchmark: BenchmarkFixture, spec: RegisteredSpec, limits: Limits, steps: float) -> None:
    """Note the share of the machine's limit that the timed call reached, which did so many training steps.

    1 is as fast as this machine can: the longer of computing the steps' operations and moving their bytes.
    """
    if benchmark.stats is None:  # --benchmark-disable
        return
    least = max(spec.flops(BATCH_SIZE) / limits.peak_flops, step_bytes(spec, BATCH_SIZE, DTYPE) / limits.bandwidth)
    benchmark.extra_info["roofline_share"] = steps * least / benchmark.stats.stats.median


def _seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def test_forward(
    benchmark: BenchmarkFixture, spec: RegisteredSpec, backend: Backend, native: dict[str, Any], batch: Batch
) -> None:
    """Time the loss alone, on arrays of the backend."""
    clock(benchmark, "forward", spec, backend, backend.model(spec).loss, lambda: (native, batch), rounds=300)


def test_gradient(
    benchmark: BenchmarkFixture, spec: RegisteredSpec, backend: Backend, native: dict[str, Any], batch: Batch
) -> None:
    """Time the loss and its gradient, without an update, on arrays of the backend."""
    call = backend.model(spec).value_and_grad
    clock(benchmark, "gradient", spec, backend, call, lambda: (native, batch), rounds=300)


def test_train_step(
    benchmark: BenchmarkFixture,
    spec: RegisteredSpec,
    backend: Backend,
    step: TrainStep,
    params: dict[str, np.ndarray],
    batch: Batch,
    limits: Limits,
) -> None:
    """Time a step from the initial parameters, on a batch that is already in the backend's own arrays."""
    clock(benchmark, "training step", spec, backend, step, lambda: (step.start(params), batch), rounds=300)
    beside_the_limit(benchmark, spec, limits, steps=1)


def test_epoch(
    benchmark: BenchmarkFixture,
    spec: RegisteredSpec,
    backend: Backend,
    step: TrainStep,
    params: dict[str, np.ndarray],
    dataset: Dataset,
    limits: Limits,
) -> None:
    """Time one pass over the training examples from the initial parameters: gathering every batch, and every step."""
    order = np.random.default_rng(42).permutation(len(dataset.train))
    loaded = step.load(dataset.train)

    def arguments() -> tuple[Any, ...]:
        return step.start(params), loaded, order, BATCH_SIZE

    clock(benchmark, "epoch", spec, backend, step.epoch, arguments, rounds=40)
    beside_the_limit(benchmark, spec, limits, steps=len(dataset.train) / BATCH_SIZE)
