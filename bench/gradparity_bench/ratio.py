"""Paired ratios with a bootstrap confidence interval, and what may be said of them beside the machine's noise.

Round i times every worker within a fraction of a second, so the ratio of two workers in one round is free of most of
the machine's drift. The estimate is the median of the per-round log-ratios; its interval is the percentile bootstrap
over the rounds (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Verdict = Literal["tie", "faster", "slower", "unclear"]
"""Unclear: it looks like a difference, and the rounds disagree too much to say so."""

ROUNDS = 60
"""Turns of every worker that a benchmark takes by itself: with 40, on two quiet cores, four of twenty runs could not
tell 5% from noise."""
CONFIDENCE = 0.95
RESAMPLES = 2000
SMALLEST = 0.02
"""The smallest difference that is ever called one, as a log-ratio: 2%.

Two processes that run the same code differ by so much for good, by where their memory happens to lie (T. Mytkowicz et
al., Producing wrong data without doing anything obviously wrong, ASPLOS 2009), and one A/A pair may miss it by luck.
"""


@dataclass(frozen=True)
class Ratio:
    """How many times the other's seconds something takes: below 1 it is faster."""

    value: float
    low: float
    high: float
    """The ends of the 95% confidence interval."""


def paired_ratio(own: Sequence[float], other: Sequence[float]) -> Ratio:
    """Return the ratio of own to other seconds, taken round by round: both hold a number for each round.

    With fewer than three rounds the interval is all numbers: from 0 to infinity.
    """
    return _paired_ratio(tuple(own), tuple(other))


def unpaired_ratio(own: Sequence[float], other: Sequence[float]) -> Ratio:
    """Return the ratio of the medians of two runs, with the bootstrap over the rounds of each.

    With fewer than three rounds in either the interval is all numbers: from 0 to infinity.
    """
    import numpy as np

    def difference(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(np.median(a, axis=axis) - np.median(b, axis=axis))

    return _bootstrapped((np.log(np.asarray(own)), np.log(np.asarray(other))), difference)


@cache
def _paired_ratio(own: tuple[float, ...], other: tuple[float, ...]) -> Ratio:
    import numpy as np

    return _bootstrapped((np.log(np.asarray(own)) - np.log(np.asarray(other)),), np.median)


def _bootstrapped(logs: Sequence[Any], statistic: Callable[..., Any]) -> Ratio:
    """Return exp of a statistic of samples of logarithms, with its percentile bootstrap interval."""
    import numpy as np
    from scipy import stats

    value = math.exp(statistic(*logs))
    if min(map(len, logs)) < 3:
        return Ratio(value, 0.0, math.inf)
    if all(np.ptp(sample) == 0.0 for sample in logs):  # nothing to resample
        return Ratio(value, value, value)
    found = stats.bootstrap(
        logs,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Ratio(value, math.exp(found.low), math.exp(found.high))


def noise_floor(same: Ratio) -> float:
    """Return the largest factor that means nothing, from the ratio of two workers of the same backend; at least 1.02.

    An interval covers what differs from round to round; this covers what two processes differ by throughout.
    """
    return math.exp(max(abs(math.log(same.value)), SMALLEST))


def verdict(ratio: Ratio, floor: float) -> Verdict:
    """Return "faster" or "slower" where the whole interval is outside 1/floor … floor, "tie" where the ratio is inside.

    A ratio outside with an interval that reaches in is "unclear".
    """
    if ratio.low > floor:
        return "slower"
    if ratio.high < 1 / floor:
        return "faster"
    return "tie" if 1 / floor <= ratio.value <= floor else "unclear"
