import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradparity import MLP
from gradparity.protocol import Batch, Dtype
from gradparity_jax import backend


def compilations(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what JAX has logged about the compiling of a training step."""
    return [record.message for record in caplog.records if "ompil" in record.message]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_compiled_ahead_is_not_compiled_again(dtype: Dtype, caplog: pytest.LogCaptureFixture) -> None:
    spec = MLP((6, 5, 4))
    rng = np.random.default_rng(0)
    step = backend.model(spec, dtype).train_step(backend.optimizer("sgd", lr=0.1))
    state = step.start(spec.init(rng))
    x, y, _ = spec.example_batch(rng, 7)
    batch = Batch(backend.from_numpy(x.astype(dtype)), backend.from_numpy(y))
    stages = []
    outside = jnp.zeros(()).dtype
    for stage in step.stages(state, batch):
        assert jnp.zeros(()).dtype == outside
        stages.append(stage)
    assert stages == ["trace", "compile"]
    with jax.log_compiles(True), caplog.at_level(logging.WARNING):
        new_state, loss = step(state, batch)
        assert not compilations(caplog)
        new_state, loss = step(new_state, Batch(batch.x[:3], batch.y[:3]))
        assert compilations(caplog)
    assert np.isfinite(backend.to_numpy(loss))
    assert backend.to_numpy(step.params(new_state)["W1"]).dtype == np.dtype(dtype)
