"""What the suites share: every model at the sizes of the digits, on every backend whose gradients agree.

One backend is timed after another. Ratios are steadier from ``gradparity compare`` and from
``python -m gradparity_bench.speed``, where the backends take turns.
"""

from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest

from gradparity import data, registry
from gradparity.data import Dataset
from gradparity.manifest import manifest
from gradparity.models import RegisteredSpec, names, spec_for_data
from gradparity.protocol import Backend, Batch, TrainStep
from gradparity_bench import guard
from gradparity_bench.clock import BATCH_SIZE, machine_limits
from gradparity_bench.results import Limits


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The embedded data set."""
    return data.load("digits")


@pytest.fixture(scope="session", params=names())
def spec(request: pytest.FixtureRequest, digits: Dataset) -> RegisteredSpec:
    """Each model in turn."""
    return spec_for_data(request.param, digits)


@pytest.fixture(scope="session", params=registry.names())
def backend(request: pytest.FixtureRequest, spec: RegisteredSpec) -> Backend:
    """Each registered backend in turn; skips, with the reason, one that is missing or whose gradients disagree."""
    reason = guard.refusal(spec, request.param)
    if reason:
        pytest.skip(reason)
    return registry.backend(request.param)


@pytest.fixture
def params(spec: RegisteredSpec) -> dict[str, np.ndarray]:
    """Initial parameters, in float64."""
    return spec.init(np.random.default_rng(42))


@pytest.fixture
def batch(digits: Dataset, backend: Backend) -> Batch:
    """The first batch, in the backend's own arrays."""
    return digits.train.batch(slice(0, BATCH_SIZE), "float32").map(backend.from_numpy)


@pytest.fixture
def step(spec: RegisteredSpec, backend: Backend) -> TrainStep:
    """A training step of plain gradient descent."""
    return backend.model(spec).train_step(backend.optimizer("sgd", lr=0.1))


@pytest.fixture(scope="session")
def limits() -> Limits:
    """What this machine could do at best, measured once."""
    return machine_limits(int(manifest()["cores"]))


@pytest.fixture(autouse=True)
def _without_shape_checks() -> Iterator[None]:
    """The tests check shapes at run time, which would be timed too."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
