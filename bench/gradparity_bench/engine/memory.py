"""A worker's own memory: what it holds, the most it held, and the most it may take."""

import resource
import sys
from pathlib import Path

import psutil


def resident() -> int:
    """Return the bytes that this process has in memory."""
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Return the most bytes that this process has had in memory."""
    # On Linux, ru_maxrss goes on through exec: it would be the parent's where that was larger.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def limit_growth(most: int) -> None:
    """Let this process's writable memory grow by so many bytes; an allocation beyond that fails."""
    # Not RLIMIT_AS: libraries reserve far more addresses than they ever write to.
    info = psutil.Process().memory_info()
    allowed = getattr(info, "data", info.vms) + most
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or allowed < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
