"""A sitting: a new process for each contestant, and some rounds in turns; what fails costs its own row only.

What two processes of the same code differ by, whatever the number of rounds, is seen as often as there are sittings.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gradparity.timing import AGAIN, take_turns
from gradparity_bench.engine.guard import Outcome, Referee
from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.entries import Entry
from gradparity_bench.results import Limits, Measurement
from gradparity_bench.standings import Call, Phases, Rounds, Standing, Status

ROUND_SECONDS = 0.01
"""How long the repetitions of one call last in one turn."""
LIMITS = "(limits)"
"""The name, beside those of the contestants, of the worker that measures the machine."""

Progress = Callable[[str], None]
"""Is told what comes next."""
Turns = Mapping[str, Callable[[], dict[str, Any]]]
"""Call -> one turn of it in a worker, as often repeated as its first process found."""
Round = dict[str, dict[str, dict[str, Any]]]
"""Worker -> call -> what it answered."""


@dataclass(frozen=True)
class Bench:
    """How everything is measured."""

    rounds: int
    """Turns of every contestant, dealt out to its processes."""
    processes: int
    """Of every contestant, one in each sitting."""
    seed: int
    guard: Referee
    folder: Path
    """For arrays and logs; the caller deletes it."""
    patience: float
    """Seconds that a worker may take for one request."""
    progress: Progress


@dataclass
class Race:
    """Everyone at a point, and what is known of them from one sitting to the next."""

    bench: Bench
    empty: Measurement
    """Without rows."""
    entries: Sequence[Entry]
    arrays: Path
    """What everyone starts from."""
    calls: Sequence[Call]
    """What is timed."""
    rng: np.random.Generator
    """Of the order of turns."""
    standings: dict[str, Standing]
    """Of each contestant, and of the first one's second copy."""
    machine: Worker | None
    """Measures what the machine could do, in every sitting the same."""
    first: Outcome = field(default_factory=dict)
    """What the first contestant came to."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Worker -> call -> how often it is repeated in a turn."""
    rounds: list[Round] = field(default_factory=list)
    """Those that are finished."""
    processes: list[int] = field(default_factory=list)
    """The sitting of each."""

    @property
    def measurement(self) -> Measurement:
        """What the finished rounds say."""
        rows = {name: self._with_rounds(name, own) if own.timed else own for name, own in self.standings.items()}
        again = rows.pop(AGAIN, None)
        return replace(self.empty, rows=tuple(rows.values()), again=again, limits=self._limits())

    def _with_rounds(self, name: str, standing: Standing) -> Standing:
        own = [done[name] for done in self.rounds]
        seconds: dict[str, Any] = {call: tuple(turns[call]["seconds"] for turns in own) for call in self.calls}
        threads = tuple(turns[self.calls[0]]["threads"] for turns in own)
        rounds = Rounds(**seconds, threads=threads, processes=tuple(self.processes))
        return replace(standing, rounds=rounds, steps_per_round=self.counts[name].get("step", 0))

    def _limits(self) -> Limits | None:
        if self.machine is None or not self.rounds:
            return None
        from gradparity_bench.engine.limits import MOVED, MULTIPLY_FLOPS

        own = [done[LIMITS] for done in self.rounds]
        return Limits(
            flops_per_second=tuple(MULTIPLY_FLOPS / turns["multiply"]["seconds"] for turns in own),
            bytes_per_second=tuple(MOVED / turns["copy"]["seconds"] for turns in own),
        )

    def lose(self, name: str, status: Status, reason: str) -> None:
        """Leave someone out from now on, and say why."""
        if name == LIMITS:
            self.machine = None
        else:
            own = self.standings[name]
            self.standings[name] = Standing(own.backend, own.library, own.differentiation, status, reason)

    def judge(self, name: str, outcome: Outcome) -> None:
        """Leave someone out who did not come to what the first one came to."""
        self.first = self.first or outcome
        if reason := self.bench.guard.after(outcome, self.first, self.empty.point):
            self.lose(name, "disagrees", reason)


def sit(race: Race, rounds: int) -> None:
    """Start a process for everyone who is still in the race, take so many rounds, and end the processes."""
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}

        def seat(name: str, entry: Entry) -> None:
            bench = race.bench
            bench.progress(f"starting {entry.name}")
            worker = Worker(race.empty.point.threads, bench.folder, bench.patience, entry.environment)
            workers[name] = stack.enter_context(worker)
            _prepare(race, name, entry, worker)

        for entry in race.entries:
            if race.standings[entry.name].timed:
                seat(entry.name, entry)
        base = next((entry for entry in race.entries if race.standings[entry.name].timed), None)
        if base is None:
            return
        copy = race.standings.setdefault(AGAIN, Standing(base.name, base.library, None, "timed"))
        if copy.backend != base.name:
            race.lose(AGAIN, "failed", f"{copy.backend} is not timed")
        elif copy.timed:
            seat(AGAIN, base)
        _take(race, workers, rounds)
        for name, worker in workers.items():
            if race.standings[name].timed:
                _finish(race, name, worker)


def _prepare(race: Race, name: str, entry: Entry, worker: Worker) -> None:
    """Let a worker take its first step, and judge what it comes to. What is paid once is the first process's."""
    try:
        reply = worker.request(
            "prepare",
            contestant=entry.told,
            point=asdict(race.empty.point),
            arrays=str(race.arrays),
            memory=psutil.virtual_memory().available,
        )
    except WorkerError as failure:
        race.lose(name, failure.status, failure.reason)
        return
    own = race.standings[name]
    loss = race.bench.guard.loss(reply["outcome"])
    race.standings[name] = replace(
        own, phases=own.phases or Phases(**reply["phases"]), final_loss=loss, **reply["about"]
    )
    race.judge(name, reply["outcome"])


def _take(race: Race, workers: Mapping[str, Worker], rounds: int) -> None:
    """Take rounds, and keep each as soon as it is finished."""
    turns: dict[str, Turns] = {}
    failures: dict[str, WorkerError] = {}
    playing = {name: worker for name, worker in workers.items() if race.standings[name].timed}
    if race.machine is not None:
        playing[LIMITS] = race.machine
    race.bench.progress("finding how long a call lasts")
    for name, worker in playing.items():
        try:
            if name not in race.counts:
                race.counts[name] = _counts(name, worker, race)
        except WorkerError as failure:
            failures[name] = failure
            continue
        ask = partial(worker.request, "time")
        turns[name] = {call: partial(ask, call=call, count=count) for call, count in race.counts[name].items()}
    sitting = race.processes[-1] + 1 if race.processes else 0
    try:
        for finished in take_turns(turns, rounds, race.rng, WorkerError, failures):
            race.rounds.append(finished)
            race.processes.append(sitting)
            race.bench.progress(f"round {len(race.rounds)} of {race.bench.rounds}")
    finally:
        for name, lost in failures.items():
            race.lose(name, lost.status, lost.reason)


def _counts(name: str, worker: Worker, race: Race) -> dict[str, int]:
    """Let a worker find how often it must repeat each call. Raises WorkerError."""
    calls: Sequence[str] = race.calls
    if name == LIMITS:
        worker.request("prepare_limits", dtype=race.empty.point.dtype, threads=race.empty.point.threads)
        calls = ("multiply", "copy")
    return {call: int(worker.request("calibrate", call=call, seconds=ROUND_SECONDS)["count"]) for call in calls}


def _finish(race: Race, name: str, worker: Worker) -> None:
    """Note the most memory that any process took; judge whether this one still computes what it did before."""
    try:
        reply = worker.request("finish")
    except WorkerError as failure:
        race.lose(name, failure.status, failure.reason)
        return
    own = race.standings[name]
    most = {"peak_memory": reply["peak"], "working_memory": reply["working"]}
    larger = {kind: max(size, getattr(own, kind) or 0) for kind, size in most.items()}
    race.standings[name] = replace(own, **larger)
    race.judge(name, reply["outcome"])
