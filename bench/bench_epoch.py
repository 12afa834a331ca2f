"""One pass over the training examples: gathering every batch, and every step."""

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.data import Dataset
from gradparity.models import RegisteredSpec
from gradparity.protocol import Backend, TrainStep
from gradparity_bench.clock import BATCH_SIZE, beside_the_limit, clock
from gradparity_bench.results import Limits


def test_epoch(
    benchmark: BenchmarkFixture,
    spec: RegisteredSpec,
    backend: Backend,
    step: TrainStep,
    params: dict[str, np.ndarray],
    digits: Dataset,
    limits: Limits,
) -> None:
    """Time an epoch from the initial parameters."""
    order = np.random.default_rng(42).permutation(len(digits.train))
    loaded = step.load(digits.train)
    clock(
        benchmark,
        "epoch",
        spec,
        backend,
        step.epoch,
        lambda: (step.start(params), loaded, order, BATCH_SIZE),
        rounds=40,
    )
    beside_the_limit(benchmark, spec, limits, steps=len(digits.train) / BATCH_SIZE)
