"""Timing epochs in turns: one process for each contestant, after each has shown that it trains the same."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from gradparity.timing import ratios
from gradparity_alternatives.contestants import CONTESTANTS, OWN, Contestant
from gradparity_alternatives.parity import EPOCHS, Expected, expected
from gradparity_alternatives.process import Worker, WorkerDiedError, running
from gradparity_alternatives.task import Task

Progress = Callable[[str], None]
"""Is told what comes next."""
Ratio = tuple[float, float, float]
"""Median, lower and upper quartile of the ratios of each round."""


@dataclass(frozen=True)
class Start:
    """What is paid once, in seconds."""

    imports: float
    prepare: float
    first_epoch: float
    """With whatever is compiled in it."""


@dataclass(frozen=True)
class Row:
    """One contestant; without ``seconds`` it was not timed, and ``refusal`` says why."""

    contestant: str
    library: str
    loss: float | None = None
    """After EPOCHS epochs, over all training examples."""
    start: Start | None = None
    seconds: tuple[float, ...] = ()
    """Of one epoch, round by round."""
    cores: float | None = None
    """Processor time over time, the median of the rounds."""
    to_own: Ratio | None = None
    """To gradparity's own backend of the same library."""
    to_numpy: Ratio | None = None
    refusal: str = ""


def measure(
    task: Task,
    rounds: int,
    threads: int,
    progress: Progress,
    contestants: Sequence[Contestant] = CONTESTANTS,
) -> tuple[Row, ...]:
    """Compare the weights of all contestants, then time them. Raises UsageError for data that are not here."""
    progress("training in float64, to know how far rounding goes")
    truth = expected(task)
    rows: dict[str, Row] = {}
    workers: dict[str, Worker] = {}
    with ExitStack() as stack:
        for contestant in contestants:
            progress(f"comparing the weights of {contestant.name}")
            try:
                if contestant.missing:
                    raise WorkerDiedError(contestant.missing)
                worker = stack.enter_context(running(contestant, task, threads))
                rows[contestant.name] = row = _first_epochs(contestant, worker, truth)
            except WorkerDiedError as death:
                rows[contestant.name] = Row(contestant.name, contestant.library, refusal=str(death))
                continue
            if not row.refusal:
                workers[contestant.name] = worker
        progress("timing")
        turns, died = _take_turns(workers, rounds, np.random.default_rng(task.seed))
    return tuple(_timed(rows[name], turns, died.get(name, "")) for name in rows)


def _first_epochs(contestant: Contestant, worker: Worker, truth: Expected) -> Row:
    first = worker.ask("epoch")["seconds"]
    for _ in range(EPOCHS - 1):
        worker.ask("epoch")
    weights = {name: np.array(value) for name, value in worker.ask("weights").items()}
    start = Start(worker.started["import"], worker.started["prepare"], first)
    refusal = truth.refusal(weights)
    return Row(contestant.name, contestant.library, truth.loss(weights), start, refusal=refusal)


Turns = dict[str, list[dict[str, float]]]


def _take_turns(workers: dict[str, Worker], rounds: int, rng: np.random.Generator) -> tuple[Turns, dict[str, str]]:
    """Ask each worker once per round, in shuffled order; one that dies takes no further part."""
    turns: Turns = {name: [] for name in workers}
    died: dict[str, str] = {}
    for _ in range(rounds):
        for name in rng.permutation(list(turns)):
            try:
                turns[name].append(workers[name].ask("turn"))
            except WorkerDiedError as death:
                died[name] = str(death)
                del turns[name]
    return turns, died


def _timed(row: Row, turns: Turns, death: str) -> Row:
    if row.contestant not in turns:
        return Row(row.contestant, row.library, row.loss, row.start, refusal=row.refusal or death)
    seconds = {name: np.array([turn["seconds"] for turn in turns[name]]) for name in turns}

    def to(baseline: str) -> Ratio | None:
        return ratios(seconds, baseline)[row.contestant] if baseline in seconds else None

    return Row(
        row.contestant,
        row.library,
        row.loss,
        row.start,
        seconds=tuple(seconds[row.contestant].tolist()),
        cores=float(np.median([turn["cores"] for turn in turns[row.contestant]])),
        to_own=to(OWN[row.library]),
        to_numpy=to(OWN["numpy"]),
    )
