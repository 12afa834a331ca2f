"""How many threads a worker may use: told to the libraries, and enforced by the operating system."""

import os
from collections.abc import Mapping

from gradparity.errors import UsageError

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",  # XLA sizes its thread pools by it; it has no flag for their size
    "TORCHINDUCTOR_COMPILE_THREADS",
)
"""Read by the libraries when they are imported, never later."""


def environment(threads: int, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's environment: so many threads, on the CPU, and nothing compiled in an earlier run."""
    return {
        **inherited,
        **dict.fromkeys(VARIABLES, str(threads)),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
    }


def cores(threads: int) -> list[int]:
    """Return the CPUs that a worker is bound to: the first ones that this process may use.

    JAX sizes its thread pools by them and obeys nothing else that can be set from outside. The list is empty where
    the operating system binds no process; then only the observed use shows what a library took. Raises UsageError
    for more threads than cores.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    bindable = hasattr(os, "sched_getaffinity")
    allowed = sorted(os.sched_getaffinity(0)) if bindable else list(range(os.cpu_count() or 1))
    if threads > len(allowed):
        raise UsageError(f"threads must be at most the {len(allowed)} cores of this machine, got {threads}")
    return allowed[:threads] if bindable else []
