"""What a result was computed with: versions and machine, found without importing any of the libraries."""

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = ("gradparity", "numpy", "scipy", "jax", "jaxlib", "optax", "torch", "autograd")
"""Distributions whose version can change a result or its cost."""


def manifest() -> dict[str, str]:
    """Return what to state beside a result: Python, library versions, operating system, CPU and its cores.

    A library that is not installed is left out.
    """
    machine = {"OS": f"{platform.system()} {platform.release()}", "CPU": _cpu(), "cores": str(_cores())}
    return {"python": platform.python_version(), **versions(DISTRIBUTIONS), **machine}


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution that is installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    # On Linux, platform.processor() says at most "x86_64".
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            field, _, model = line.partition(":")
            if field.strip() == "model name":
                return model.strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    """Count the cores that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
