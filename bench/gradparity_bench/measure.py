"""Timing whole epochs in turns, after every loop has shown that it computes the notebook's weights."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from gradparity.errors import UsageError
from gradparity.timing import ratios, take_turns
from gradparity_bench.contests import Contest, first_epoch, loop
from gradparity_bench.guard import ExpectedWeights, expected_weights
from gradparity_bench.task import Task

Progress = Callable[[str], None]
"""Is told what comes next."""


@dataclass(frozen=True)
class Row:
    """One loop against a baseline; that of a baseline against itself shows the noise."""

    loop: str
    baseline: str
    target: float | None
    """The largest ratio that is wanted."""
    seconds: tuple[float, ...]
    """Of one epoch, round by round; empty where the loop was not timed."""
    ratio: tuple[float, float, float] | None
    """Median, lower and upper quartile of the ratio to the baseline, taken round by round."""
    refusal: str
    """Why the loop was not timed."""


def refusals(task: Task, contests: Iterable[Contest], progress: Progress) -> dict[str, str]:
    """Train every loop for one epoch; return, by name, why it is not to be timed, empty where it is."""
    progress("training the notebook's loop in float64")
    expected = expected_weights(task)
    names = dict.fromkeys(name for contest in contests for name in contest.loops)
    return {name: _refusal(name, task, expected, progress) for name in names}


def _refusal(name: str, task: Task, expected: ExpectedWeights, progress: Progress) -> str:
    progress(f"comparing the weights of {name}")
    try:
        return expected.refusal(first_epoch(name, task))
    except UsageError as error:
        return str(error)


def measure(
    contest: Contest, task: Task, refused: Mapping[str, str], rounds: int, progress: Progress
) -> tuple[Row, ...]:
    """Time the loops of one contest, without those that are refused; without its baseline, none."""
    progress(f"timing against {contest.baseline}")
    timed = [] if refused[contest.baseline] else [name for name in contest.loops if not refused[name]]
    epochs = {name: partial(next, loop(name)(task)) for name in timed}
    again = "itself, again"
    if timed:
        epochs[again] = epochs[contest.baseline]
    seconds = take_turns(epochs, rounds, np.random.default_rng(task.seed))
    paired = ratios(seconds, contest.baseline) if timed else {}

    def row(name: str, target: float | None, refusal: str) -> Row:
        own = tuple(float(s) for s in seconds.get(name, ()))
        return Row(name, contest.baseline, target, own, paired.get(name), refused[contest.baseline] or refusal)

    return (row(again, None, ""), *(row(name, target, refused[name]) for name, target in contest.targets.items()))
