"""Timing in turns: A B C, C A B, …, so that a machine's drift hits all alike, and ratios stay true."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Seconds = dict[str, np.ndarray]
"""Name -> seconds of one call, round by round."""

SETTLE = 0.05
"""Seconds for which a call is repeated in its turn before it is timed.

The threads of a library do not sleep at once when they run out of work: OpenBLAS's keep spinning for 2²⁶ clock
cycles, about 25 ms, and OpenMP's for some milliseconds, and so take a core from whoever comes next.
"""


def take_turns(calls: Mapping[str, Callable[[], Any]], rounds: int, rng: np.random.Generator) -> Seconds:
    """Time each call once per round, in shuffled order, each time after it has settled.

    A call must return only when its work is done.
    """
    seconds = {name: np.empty(rounds) for name in calls}
    for turn in range(rounds):
        for name in rng.permutation(list(calls)):
            _settle(calls[name])
            began = time.perf_counter()
            calls[name]()
            seconds[name][turn] = time.perf_counter() - began
    return seconds


def _settle(call: Callable[[], Any]) -> None:
    until = time.perf_counter() + SETTLE
    call()
    while time.perf_counter() < until:
        call()


def ratios(seconds: Seconds, to: str) -> dict[str, tuple[float, float, float]]:
    """Return name -> (median, lower quartile, upper quartile) of the ratio to one call, taken round by round."""
    paired = {name: own / seconds[to] for name, own in seconds.items()}
    return {
        name: (float(np.median(r)), float(np.quantile(r, 0.25)), float(np.quantile(r, 0.75)))
        for name, r in paired.items()
    }
