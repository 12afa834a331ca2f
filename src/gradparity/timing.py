"""Times that are compared: taken in turns, as paired ratios with intervals, beside the machine's own noise.

Turns go A B C, C A B, …, so that a machine's drift hits all alike. Round i times everyone within a short while, so the
ratio of two of them in one round is free of most of the drift. The estimate is the median of the per-round
log-ratios; its interval is the percentile bootstrap over the rounds (B. Efron and R. Tibshirani, An Introduction to
the Bootstrap, 1993, section 13.3).

Two processes that run the same code differ throughout, by where their memory happens to lie, and no number of rounds
shows by how much. So where each contestant had several processes, what is resampled is the processes, each with the
median over its own rounds, and the estimate is their mean (T. Kalibera and R. Jones, Rigorous benchmarking in
reasonable time, ISMM 2013).
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeVar

import numpy as np

from gradparity.errors import require_package

Answer = TypeVar("Answer")
Lost = TypeVar("Lost", bound=Exception)

AGAIN = "(again)"
"""The name, beside those of the others, of the first one's second copy."""

Verdict = Literal["tie", "faster", "slower", "unclear"]
"""Unclear: it looks like a difference, and the rounds disagree too much to say so."""

CONFIDENCE = 0.95
RESAMPLES = 2000
SMALLEST = 0.02
"""The smallest difference that is ever called one of two processes, as a log-ratio: 2%.

Two that run the same code differ by so much for good (T. Mytkowicz et al., Producing wrong data without doing
anything obviously wrong, ASPLOS 2009), and one A/A pair may miss it by luck.
"""
SMALLEST_OF_SEVERAL = 0.007
"""The same where each had several processes, over which that difference averages out."""
SEVERAL = 3
"""The fewest processes of each, or rounds, that are resampled."""
SETTLE = 0.05
"""Seconds for which a call is repeated in its turn before it is timed.

The threads of a library do not sleep at once when they run out of work: OpenBLAS's keep spinning for 2²⁶ clock
cycles, about 25 ms, and OpenMP's for some milliseconds, and so take a core from whoever comes next.
"""


def take_turns(
    players: Mapping[str, Mapping[str, Callable[[], Answer]]],
    rounds: int,
    rng: np.random.Generator,
    lost: type[Lost] | tuple[()] = (),
    failures: dict[str, Lost] | None = None,
) -> Iterator[dict[str, dict[str, Answer]]]:
    """Yield each finished round: player -> call -> its answer. All do one call, shuffled, before any does the next.

    Who raises ``lost`` is left out from then on, and is in ``failures``.
    """
    failures = {} if failures is None else failures
    calls = dict.fromkeys(call for own in players.values() for call in own)
    for _ in range(rounds):
        done: dict[str, dict[str, Answer]] = {name: {} for name in players if name not in failures}
        for call in calls:
            for name in rng.permutation([name for name in done if call in players[name]]):
                try:
                    done[name][call] = players[name][call]()
                except lost as failure:
                    failures[name] = failure
                    del done[name]
        yield done


@dataclass(frozen=True)
class Ratio:
    """How many times the other's seconds something takes: below 1 it is faster."""

    value: float
    low: float
    high: float
    """The ends of the 95% confidence interval."""


def paired_ratio(own: Sequence[float], other: Sequence[float], processes: Sequence[int] = ()) -> Ratio:
    """Return the ratio of own to other seconds, taken round by round: both hold a number for each round.

    ``processes`` says in which process of its contestant each round ran. With fewer than three rounds the interval is
    all numbers: from 0 to infinity.
    """
    return _paired_ratio(tuple(own), tuple(other), tuple(processes))


def unpaired_ratio(own: Sequence[float], other: Sequence[float], *processes: Sequence[int]) -> Ratio:
    """Return the ratio of the medians of two runs, with the bootstrap over each; ``processes`` are those of each run.

    With fewer than three rounds in either the interval is all numbers: from 0 to infinity.
    """
    of_each = processes or ((), ())
    middle: Callable[..., Any] = np.mean if all(map(several, of_each)) else np.median

    def difference(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(middle(a, axis=axis) - middle(b, axis=axis))

    logs = [_units(np.log(np.asarray(run)), each) for run, each in zip((own, other), of_each, strict=True)]
    return _bootstrapped(logs, difference)


@cache
def _paired_ratio(own: tuple[float, ...], other: tuple[float, ...], processes: tuple[int, ...]) -> Ratio:
    logs = np.log(np.asarray(own)) - np.log(np.asarray(other))
    return _bootstrapped((_units(logs, processes),), np.mean if several(processes) else np.median)


def several(processes: Sequence[int]) -> bool:
    """Whether there are enough processes to resample them."""
    return len(set(processes)) >= SEVERAL


def _units(logs: np.ndarray, processes: Sequence[int]) -> np.ndarray:
    """Return what is resampled: the median of each process where there are several, and else every round."""
    if not several(processes):
        return logs
    return np.array([np.median(logs[np.asarray(processes) == each]) for each in dict.fromkeys(processes)])


def _bootstrapped(logs: Sequence[Any], statistic: Callable[..., Any]) -> Ratio:
    """Return exp of a statistic of samples of logarithms, with its percentile bootstrap interval."""
    value = math.exp(statistic(*logs))
    if min(map(len, logs)) < SEVERAL:
        return Ratio(value, 0.0, math.inf)
    if all(np.ptp(sample) == 0.0 for sample in logs):  # nothing to resample
        return Ratio(value, value, value)
    require_package("scipy", "bench", "the interval of a ratio of times")
    from scipy import stats

    found = stats.bootstrap(
        logs,
        statistic,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Ratio(value, math.exp(found.low), math.exp(found.high))


def noise_floor(same: Ratio, smallest: float = SMALLEST) -> float:
    """Return the largest factor that means nothing, from the ratio of two copies of the same thing; at least 1.02.

    An interval covers what differs from one that is resampled to the next; this covers what two copies differ by
    throughout.
    """
    return math.exp(max(abs(math.log(same.value)), smallest))


def verdict(ratio: Ratio, floor: float) -> Verdict:
    """Return "faster" or "slower" where the whole interval is outside 1/floor … floor, "tie" where the ratio is inside.

    A ratio outside with an interval that reaches in is "unclear".
    """
    if ratio.low > floor:
        return "slower"
    if ratio.high < 1 / floor:
        return "faster"
    return "tie" if 1 / floor <= ratio.value <= floor else "unclear"


@dataclass(frozen=True)
class Timings:
    """Seconds of several calls, taken in the same rounds; the first is what the others are compared with."""

    seconds: Mapping[str, tuple[float, ...]]
    """Name -> seconds of one call, round by round."""
    again: tuple[float, ...]
    """Those of a second copy of the first: the A/A pair that shows the noise floor."""

    @property
    def base(self) -> str:
        """The name of the first."""
        return next(iter(self.seconds))

    @property
    def noise_floor(self) -> float:
        """The largest ratio that means nothing here, above 1."""
        return noise_floor(paired_ratio(self.again, self.seconds[self.base]))

    def ratio(self, name: str) -> Ratio:
        """Return the ratio to the first."""
        return paired_ratio(self.seconds[name], self.seconds[self.base])

    def verdict(self, name: str) -> Verdict:
        """Say whether a call is faster or slower than the first beyond the noise."""
        return verdict(self.ratio(name), self.noise_floor)


def time_in_turns(calls: Mapping[str, Callable[[], Any]], again: Callable[[], Any], rounds: int, seed: int) -> Timings:
    """Time each call once per round in this process, in shuffled order, each time after it has settled.

    ``again`` is a second copy of the first call. A call must return only when its work is done.
    """
    players = {name: {"": partial(_settled_seconds, call)} for name, call in {**calls, AGAIN: again}.items()}
    done = list(take_turns(players, rounds, np.random.default_rng(seed)))
    seconds = {name: tuple(finished[name][""] for finished in done) for name in players}
    copy = seconds.pop(AGAIN)
    return Timings(seconds, copy)


def _settled_seconds(call: Callable[[], Any]) -> float:
    until = time.perf_counter() + SETTLE
    call()
    while time.perf_counter() < until:
        call()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
