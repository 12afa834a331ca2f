"""How long a run takes, counted and not timed: what a check says must not depend on how busy the machine is.

Whatever is tried many times has a limit of so many seconds of work. They are those of a quiet machine, estimated from
the lines of Python that one run executes and from how many numbers it works on.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

LINE = 3e-7
"""Seconds for a line on arrays that are small."""
ENTRY = 1e-9
"""Seconds more for each entry of an array that a line works on."""
CHANGING = 1 / 10
"""The share of lines that work on arrays at all: the others are loops, calls and what libraries do around them."""


def seconds_of(run: Callable[[], Any], entries: int = 0) -> float:
    """Return about how many seconds a run takes on arrays that have so many entries together."""
    return lines_run(run) * (LINE + CHANGING * ENTRY * entries)


def lines_run(run: Callable[[], Any]) -> int:
    """Run something, and count the lines of Python that are executed, by whomever."""
    count = 0

    def note(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        run()
    finally:
        sys.settrace(before)
    return count
