import platform
import resource

import numpy as np
import pytest

from gradparity.models import MLP
from gradparity_manual import backend

PAGES = 40_000_000 // 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what is freed")
def test_a_process_that_trains_gets_freed_memory_again_and_no_fresh_pages() -> None:
    backend.model(MLP(), "float32").train_step(backend.optimizer("sgd", lr=0.1))
    faults = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(5_000_000)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert faults[-1] < PAGES / 10
