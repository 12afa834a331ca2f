"""What may be asked of this machine: memory that it has, and time that ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradparity.errors import UsageError


class TooLong(BaseException):  # no Exception, which what is run may catch
    """The time is over."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooLong in what runs after some seconds, where Python can: in the main thread of a system with alarms."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def require_memory(what: str, size: int, fix: str) -> None:
    """Raise UsageError, before anything is allocated, where so many bytes are more than this machine has left."""
    import psutil

    available = psutil.virtual_memory().available
    if size > available:
        raise UsageError(f"{what} needs {size / 1e9:,.1f} GB of memory, and {available / 1e9:,.1f} GB are free: {fix}")
