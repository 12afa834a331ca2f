"""The loss alone; the ratio of ``bench_gradient`` to this is the price of a gradient."""

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.models import RegisteredSpec
from gradparity.protocol import Backend, Batch
from gradparity_bench.clock import clock


def test_forward(
    benchmark: BenchmarkFixture, spec: RegisteredSpec, backend: Backend, params: dict[str, np.ndarray], batch: Batch
) -> None:
    """Time the loss on arrays of the backend."""
    model = backend.model(spec)
    native = {name: backend.from_numpy(value.astype(np.float32)) for name, value in params.items()}
    clock(benchmark, "forward", spec, backend, model.loss, lambda: (native, batch), rounds=300)
