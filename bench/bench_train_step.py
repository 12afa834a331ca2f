"""One optimiser step, on a batch that is already in the backend's own arrays."""

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.models.configure import Spec
from gradparity.protocol import Backend, Batch, TrainStep
from gradparity_bench.clock import clock


def test_train_step(
    benchmark: BenchmarkFixture,
    spec: Spec,
    backend: Backend,
    step: TrainStep,
    params: dict[str, np.ndarray],
    batch: Batch,
) -> None:
    """Time a step from the initial parameters."""
    clock(benchmark, "training step", spec, backend, step, lambda: (step.start(params), batch), rounds=300)
