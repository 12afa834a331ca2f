"""One optimiser step, on a batch that is already in the backend's own arrays."""

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.models import RegisteredSpec
from gradparity.protocol import Backend, Batch, TrainStep
from gradparity_bench.clock import beside_the_limit, clock
from gradparity_bench.results import Limits


def test_train_step(
    benchmark: BenchmarkFixture,
    spec: RegisteredSpec,
    backend: Backend,
    step: TrainStep,
    params: dict[str, np.ndarray],
    batch: Batch,
    limits: Limits,
) -> None:
    """Time a step from the initial parameters."""
    clock(benchmark, "training step", spec, backend, step, lambda: (step.start(params), batch), rounds=300)
    beside_the_limit(benchmark, spec, limits, steps=1)
