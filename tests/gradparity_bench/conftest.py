from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from gradparity.protocol import Examples
from gradparity_bench.task import Task

WRONG = """
from dataclasses import replace
from gradparity_manual.on_numpy import NumpyBackend

class WrongBackend(NumpyBackend):
    def model(self, spec, dtype="float32"):
        right = super().model(spec, dtype)

        def trace(params, batch):
            values, gradients = right.functions.trace(params, batch)
            first = next(iter(params))
            return values, {**gradients, first: 1.0005 * gradients[first]}

        return replace(right, functions=right.functions._replace(trace=trace))

backend = WrongBackend("wrong")
"""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """No speed is asserted, and beside other tests, threads that wait for each other take most of the time."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def task() -> Task:
    """Noise, in batches of which the last is smaller; more of them than are gathered at a time."""
    rng = np.random.default_rng(5)
    examples = Examples(rng.integers(0, 256, (217, 13), dtype=np.uint8), rng.integers(0, 5, 217), 255.0)
    return Task(examples, classes=5, batch_size=16)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with an installed distribution of two backends: a gradient wrong by 0.05%, and a missing library."""
    (tmp_path / "wrong_backend.py").write_text(WRONG)
    (tmp_path / "lost_backend.py").write_text("import no_such_library")
    distribution = tmp_path / "plugins-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    (distribution / "entry_points.txt").write_text(
        "[gradparity.backends]\nwrong = wrong_backend:backend\nlost = lost_backend:backend\n"
    )
    return tmp_path
