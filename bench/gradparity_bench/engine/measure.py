"""One point: the guard, then a worker for each contestant, then rounds in turns; what fails costs its own row only."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gradparity.timing import AGAIN, take_turns
from gradparity_bench.drawn import Drawn, draw
from gradparity_bench.engine.guard import Outcome, Referee
from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.entries import Entry
from gradparity_bench.points import spec_at, step_bytes
from gradparity_bench.results import Limits, Measurement
from gradparity_bench.standings import CALLS, Call, Phases, Point, Rounds, Standing, Status

STEPS_PER_EPOCH = 8
ROUND_SECONDS = 0.02
"""How long the repetitions of one call last in one turn."""
LIMITS = "(limits)"
"""The name, beside those of the contestants, of the worker that measures the machine."""

Progress = Callable[[str], None]
"""Is told what comes next."""
Turns = Mapping[str, Callable[[], dict[str, Any]]]
"""Call -> one turn of it in a worker, as often repeated as the worker found."""
Round = dict[str, dict[str, dict[str, Any]]]
"""Worker -> call -> what it answered."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two rounds; what the finished rounds say is kept."""

    def __init__(self, measurement: Measurement) -> None:
        super().__init__()
        self.measurement = measurement


@dataclass(frozen=True)
class Bench:
    """How everything is measured."""

    rounds: int
    seed: int
    guard: Referee
    folder: Path
    """For arrays and logs; the caller deletes it."""
    patience: float
    """Seconds that a worker may take for one request."""
    progress: Progress


def measure_point(bench: Bench, backends: Sequence[str], point: Point) -> Measurement:
    """Measure every backend at a point. Raises Interrupted on Ctrl-C where there are finished rounds."""
    drawn = draw(spec_at(point), STEPS_PER_EPOCH * point.batch_size, bench.seed)
    return measure_contestants(
        bench, [Entry(name, backend=name) for name in backends], point, drawn, CALLS, limits=True
    )


def measure_contestants(
    bench: Bench, entries: Sequence[Entry], point: Point, drawn: Drawn, calls: Sequence[Call], *, limits: bool
) -> Measurement:
    """Measure every contestant, and on request what the machine could do. Raises Interrupted as ``measure_point``."""
    spec = spec_at(point)
    arrays = bench.folder / "drawn.npz"
    drawn.save(arrays)
    with ExitStack() as stack:

        def start(variables: Mapping[str, str]) -> Worker:
            return stack.enter_context(Worker(point.threads, bench.folder, bench.patience, variables))

        workers: dict[str, Worker] = {}
        standings: dict[str, Standing] = {}
        outcomes: dict[str, Outcome] = {}

        def prepare(name: str, entry: Entry) -> None:
            workers[name] = start(entry.environment)
            standings[name], outcomes[name] = _prepared(bench, workers[name], entry, point, arrays)

        for entry in entries:
            bench.progress(f"checking {entry.name}")
            status, reason = bench.guard.before(entry, point)
            standings[entry.name] = Standing(entry.name, entry.library, None, status, reason)
            if status == "timed":
                bench.progress(f"starting {entry.name}")
                prepare(entry.name, entry)
        first = next((outcomes[name] for name, own in standings.items() if own.timed), {})
        judge = partial(_judged, bench.guard, first, point)
        standings = {name: judge(own, outcomes.get(name, {})) for name, own in standings.items()}
        empty = Measurement(
            point,
            flops=spec.flops(point.batch_size),
            bytes=step_bytes(spec, point.batch_size, point.dtype),
            examples=len(drawn.examples),
            rows=tuple(standings.values()),
        )
        base = next((entry for entry in entries if standings[entry.name].timed), None)
        if base is None:
            return empty
        prepare(AGAIN, base)
        if limits:
            workers[LIMITS] = start({})
        return _timed(bench, empty, standings, workers, calls, judge)


def _prepared(bench: Bench, worker: Worker, entry: Entry, point: Point, arrays: Path) -> tuple[Standing, Outcome]:
    standing = Standing(entry.name, entry.library, None, "timed")
    try:
        reply = worker.request(
            "prepare",
            contestant=entry.told,
            point=asdict(point),
            arrays=str(arrays),
            memory=psutil.virtual_memory().available,
        )
    except WorkerError as failure:
        return _untimed(standing, failure.status, failure.reason), {}
    loss = bench.guard.loss(reply["outcome"])
    return replace(standing, phases=Phases(**reply["phases"]), final_loss=loss, **reply["about"]), reply["outcome"]


def _judged(guard: Referee, first: Outcome, point: Point, standing: Standing, outcome: Outcome) -> Standing:
    """Return the standing, untimed where what it came to is wrong."""
    reason = guard.after(outcome, first, point) if standing.timed else ""
    return _untimed(standing, "disagrees", reason) if reason else standing


def _untimed(standing: Standing, status: Status, reason: str) -> Standing:
    return Standing(standing.backend, standing.library, standing.differentiation, status, reason)


def _timed(
    bench: Bench,
    empty: Measurement,
    standings: dict[str, Standing],
    workers: dict[str, Worker],
    calls: Sequence[Call],
    judge: Callable[[Standing, Outcome], Standing],
) -> Measurement:
    """Time all that is prepared, in turns, and fill in the standings."""
    failures: dict[str, WorkerError] = {}
    turns: dict[str, Turns] = {}
    steps: dict[str, int] = {}
    for name in [*(name for name, own in standings.items() if own.timed), *({LIMITS} & set(workers))]:
        bench.progress("finding how long a call lasts")
        try:
            counts = _counts(name, workers[name], empty.point, calls)
        except WorkerError as failure:
            failures[name] = failure
            continue
        ask = partial(workers[name].request, "time")
        turns[name] = {call: partial(ask, call=call, count=count) for call, count in counts.items()}
        steps[name] = counts.get("step", 0)
    done: list[Round] = []
    interrupted = False
    try:
        for finished in take_turns(turns, bench.rounds, np.random.default_rng(bench.seed), WorkerError, failures):
            done.append(finished)
            bench.progress(f"round {len(done)} of {bench.rounds}")
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    filled = dict(standings)
    for name, own in standings.items():
        if name in failures:
            filled[name] = _untimed(own, failures[name].status, failures[name].reason)
        elif own.timed:
            own = replace(own, rounds=_rounds(name, done, calls), steps_per_round=steps[name])
            filled[name] = own if interrupted else _finished(own, workers[name], judge)
    measurement = replace(
        empty,
        rows=tuple(filled[row.backend] for row in empty.rows),
        again=filled[AGAIN],
        limits=None if LIMITS in failures or LIMITS not in workers else _limits(done),
    )
    if interrupted:
        raise Interrupted(measurement)
    return measurement


def _counts(name: str, worker: Worker, point: Point, calls: Sequence[str]) -> dict[str, int]:
    """Let a worker find how often it must repeat each call. Raises WorkerError."""
    if name == LIMITS:
        worker.request("prepare_limits", dtype=point.dtype, threads=point.threads)
        calls = ("multiply", "copy")
    return {call: int(worker.request("calibrate", call=call, seconds=ROUND_SECONDS)["count"]) for call in calls}


def _rounds(name: str, done: Sequence[Round], calls: Sequence[Call]) -> Rounds:
    seconds: dict[str, Any] = {call: tuple(r[name][call]["seconds"] for r in done) for call in calls}
    return Rounds(**seconds, threads=tuple(r[name][calls[0]]["threads"] for r in done))


def _finished(standing: Standing, worker: Worker, judge: Callable[[Standing, Outcome], Standing]) -> Standing:
    """Return the standing with its memory; untimed where the worker does not compute any more what it did before."""
    try:
        reply = worker.request("finish")
    except WorkerError as failure:
        return _untimed(standing, failure.status, failure.reason)
    return judge(replace(standing, peak_memory=reply["peak"], working_memory=reply["working"]), reply["outcome"])


def _limits(done: Sequence[Round]) -> Limits:
    from gradparity_bench.engine.limits import MOVED, MULTIPLY_FLOPS

    return Limits(
        flops_per_second=tuple(MULTIPLY_FLOPS / r[LIMITS]["multiply"]["seconds"] for r in done),
        bytes_per_second=tuple(MOVED / r[LIMITS]["copy"]["seconds"] for r in done),
    )
