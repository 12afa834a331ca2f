"""The loss and its gradient, without an update."""

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from gradparity.models import RegisteredSpec
from gradparity.protocol import Backend, Batch
from gradparity_bench.clock import clock


def test_gradient(
    benchmark: BenchmarkFixture, spec: RegisteredSpec, backend: Backend, params: dict[str, np.ndarray], batch: Batch
) -> None:
    """Time the loss and its gradient on arrays of the backend."""
    model = backend.model(spec)
    native = {name: backend.from_numpy(value.astype(np.float32)) for name, value in params.items()}
    clock(benchmark, "gradient", spec, backend, model.value_and_grad, lambda: (native, batch), rounds=300)
