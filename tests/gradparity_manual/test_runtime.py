import platform
import resource

import numpy as np
import pytest

from gradparity.models import MLP
from gradparity_manual import backend

ARRAYS, BYTES = 8, 3_000_000  # from 4 MiB on NumPy asks for huge pages, which are few


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what is freed")
def test_a_process_that_trains_gets_freed_memory_again_and_no_fresh_pages() -> None:
    spec, rng = MLP(), np.random.default_rng(0)
    step = backend.model(spec, "float32").train_step(backend.optimizer("sgd", lr=0.1))
    step(step.start(spec.init(rng)), spec.example_batch(rng, 3))
    faults = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        arrays = [np.ones(BYTES // 8) for _ in range(ARRAYS)]
        del arrays
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert faults[-1] < ARRAYS * BYTES / 4096 / 10
