import os

import pytest

from gradparity.errors import UsageError
from gradparity_bench.engine.process import cores, environment


def test_every_library_is_told_and_the_users_own_setting_does_not_win() -> None:
    told = environment(3, {"OMP_NUM_THREADS": "64", "HOME": "a home"})
    assert told["HOME"] == "a home"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        assert told[name] == "3"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system binds no process to cores")
def test_a_worker_is_bound_to_cores_that_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    assert len(cores(1)) == 1
    assert set(cores(len(allowed))) == allowed


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize("threads", [0, -1, 100_000])
def test_threads_that_cannot_be_are_refused(threads: int) -> None:
    with pytest.raises(UsageError, match="threads must be at"):
        cores(threads)
