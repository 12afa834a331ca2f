"""What is wrong with a tool's answer: GradBench's own tolerance, 1e-4 beside numbers below 1, lets zeros pass.

An output is judged by the norm of its error over its norm, as ``gradparity check`` judges a gradient. A clock that
stops before the result is there is found by asking again for twice as many runs: what they take more, seen from
outside, is what the runs take.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity_gradbench.conversation import Exchange

WAITED = 0.5
"""The least share of a run's own time that an honest clock tells, on a machine that does other work too."""


def wrong(expected: Any, received: Any, limit: float = FLOAT64_LIMIT, at: str = "output") -> Iterator[str]:
    """Yield a sentence for each array of an output that is not what is expected; numbers are arrays too."""
    if isinstance(expected, dict):
        if not isinstance(received, dict) or set(expected) != set(received):
            yield f"{at} must have {', '.join(expected)}, got {_kind(received)}"
            return
        for name, part in expected.items():
            yield from wrong(part, received[name], limit, f"{at}.{name}")
        return
    own, right = _array(received), np.asarray(expected, dtype=np.float64)
    if own is None or own.shape != right.shape:
        yield f"{at} must be numbers in the shape {right.shape}, got {_kind(received) if own is None else own.shape}"
    elif not np.isfinite(own).all():
        yield f"{at} is NaN or infinite"
    elif not (error := relative_error(own, right)) <= limit:
        zeros = ", every number of it is zero" if not own.any() else ""
        yield f"{at} has a relative error of {error:.1e}, allowed are {limit:.0e}{zeros}"


def seconds_per_run(once: Exchange, twice: Exchange) -> float:
    """Return what a run takes as it is seen from outside, of an exchange with more runs than another."""
    more = len(twice.evaluate_seconds) - len(once.evaluate_seconds)
    return (twice.seconds - once.seconds) / more


def share_waited(once: Exchange, twice: Exchange) -> float:
    """Return the share of a run's time that the tool's own clock tells: near 1 where it waits for the result."""
    told = float(np.median(twice.evaluate_seconds))
    return told / max(seconds_per_run(once, twice), told)


def _array(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _kind(value: Any) -> str:
    return ", ".join(value) if isinstance(value, dict) else type(value).__name__
