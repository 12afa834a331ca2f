"""Timing in turns: A B C, C A B, …, so that a machine's drift hits all alike, and ratios stay true."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Seconds = dict[str, np.ndarray]
"""Name -> seconds of one call, round by round."""


def take_turns(calls: Mapping[str, Callable[[], Any]], rounds: int, rng: np.random.Generator) -> Seconds:
    """Time each call once per round, in shuffled order, after one round that is not counted.

    A call must return only when its work is done.
    """
    seconds = {name: np.empty(rounds) for name in calls}
    for call in calls.values():
        call()
    for turn in range(rounds):
        for name in rng.permutation(list(calls)):
            call = calls[name]
            began = time.perf_counter()
            call()
            seconds[name][turn] = time.perf_counter() - began
    return seconds


def ratios(seconds: Seconds, to: str) -> dict[str, tuple[float, float, float]]:
    """Return name -> (median, lower quartile, upper quartile) of the ratio to one call, taken round by round."""
    paired = {name: own / seconds[to] for name, own in seconds.items()}
    return {
        name: (float(np.median(r)), float(np.quantile(r, 0.25)), float(np.quantile(r, 0.75)))
        for name, r in paired.items()
    }
