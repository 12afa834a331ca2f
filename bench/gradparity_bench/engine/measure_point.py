"""One point: parity, then a worker for each backend, then rounds in turns; what fails costs its own row only."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from gradparity.protocol import Dtype, Examples, ModelSpec
from gradparity_bench.engine.parity_guard import Refusal
from gradparity_bench.engine.process import Worker, WorkerError
from gradparity_bench.engine.turns import Player, Round, calibrated, take_turns
from gradparity_bench.engine.workload import FINAL_STEPS, Drawn
from gradparity_bench.points import spec_at, step_bytes
from gradparity_bench.results import CALLS, Limits, Measurement, Phases, Point, Rounds, Row, Status

STEPS_PER_EPOCH = 8
SAME_LOSS: dict[Dtype, float] = {"float32": 1e-3, "float64": 1e-6}
"""The largest relative difference of two final losses that rounding explains after so few steps."""

AGAIN, LIMITS = "(again)", "(limits)"
"""The names, beside those of the backends, of the A/A worker and of the one that measures the machine."""

Progress = Callable[[str], None]
"""Is told what comes next."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two rounds; what the finished rounds say is kept."""

    def __init__(self, measurement: Measurement) -> None:
        super().__init__()
        self.measurement = measurement


@dataclass(frozen=True)
class Bench:
    """How every point is measured."""

    backends: tuple[str, ...]
    rounds: int
    seed: int
    refusal: Refusal
    folder: Path
    """For arrays and logs; the caller deletes it."""
    patience: float
    """Seconds that a worker may take for one request."""
    progress: Progress


def measure_point(bench: Bench, point: Point) -> Measurement:
    """Measure every backend at a point. Raises Interrupted on Ctrl-C where there are finished rounds."""
    spec = spec_at(point)
    drawn = draw(spec, point, bench.seed)
    arrays = bench.folder / "drawn.npz"
    drawn.save(arrays)
    with ExitStack() as stack:

        def start() -> Worker:
            return stack.enter_context(Worker(point.threads, bench.folder, bench.patience))

        rows: dict[str, Row] = {}
        workers: dict[str, Worker] = {}
        for backend in bench.backends:
            bench.progress(f"checking the gradients of {backend}")
            status, reason = bench.refusal(point, backend)
            rows[backend] = Row(backend, "", None, status, reason)
            if rows[backend].timed:
                bench.progress(f"starting {backend}")
                workers[backend] = start()
                rows[backend] = _prepared(workers[backend], rows[backend], point, arrays)
        first = next((name for name in rows if rows[name].timed), None)
        if first is not None:
            rows = {name: _with_same_loss(row, rows[first], point.dtype) for name, row in rows.items()}
            workers |= {AGAIN: start(), LIMITS: start()}
            rows[AGAIN] = _prepared(workers[AGAIN], Row(first, "", None, "timed"), point, arrays)
        empty = Measurement(
            point,
            flops=spec.flops(point.batch_size),
            bytes=step_bytes(spec, point.batch_size, point.dtype),
            examples=len(drawn.examples),
            rows=tuple(rows[name] for name in bench.backends),
        )
        return empty if first is None else _timed(bench, empty, rows, workers)


def draw(spec: ModelSpec, point: Point, seed: int) -> Drawn:
    """Draw the parameters, the examples of an epoch, and their order."""
    rng = np.random.default_rng(seed)
    params = spec.init(rng)
    n = STEPS_PER_EPOCH * point.batch_size
    batch = spec.example_batch(rng, n)
    return Drawn(params, Examples(batch.x, batch.y, extras=batch.extras), rng.permutation(n))


def _prepared(worker: Worker, row: Row, point: Point, arrays: Path) -> Row:
    try:
        reply = worker.request(
            "prepare",
            backend=row.backend,
            point=asdict(point),
            arrays=str(arrays),
            memory_limit=psutil.virtual_memory().available,
        )
    except WorkerError as failure:
        return _untimed(row, failure.status, failure.reason)
    phases = Phases(**reply.pop("phases"))
    return replace(row, phases=phases, **reply)


def _untimed(row: Row, status: Status, reason: str) -> Row:
    return Row(row.backend, row.library, row.differentiation, status, reason)


def _with_same_loss(row: Row, first: Row, dtype: Dtype) -> Row:
    """Return the row, untimed where it trains to another loss than the first one."""
    if row.final_loss is None or first.final_loss is None:
        return row
    if math.isclose(row.final_loss, first.final_loss, rel_tol=SAME_LOSS[dtype]):
        return row
    reason = (
        f"its loss after {FINAL_STEPS} steps is {row.final_loss:.6g}, "
        f"{first.backend}'s from the same start is {first.final_loss:.6g}"
    )
    return _untimed(row, "disagrees", reason)


def _timed(bench: Bench, empty: Measurement, rows: dict[str, Row], workers: dict[str, Worker]) -> Measurement:
    """Time all that is prepared, in turns, and fill in the rows."""
    failures: dict[str, WorkerError] = {}
    players: dict[str, Player] = {}
    for name in [*(name for name, row in rows.items() if row.timed), LIMITS]:
        bench.progress("finding how long a call lasts")
        try:
            players[name] = _player(name, workers[name], empty.point)
        except WorkerError as failure:
            failures[name] = failure
    done: list[Round] = []
    interrupted = False
    try:
        for finished in take_turns(players, bench.rounds, np.random.default_rng(bench.seed), failures):
            done.append(finished)
            bench.progress(f"round {len(done)} of {bench.rounds}")
    except KeyboardInterrupt:
        if not done:
            raise
        interrupted = True
    filled = {
        name: _filled(row, name, players, done, failures, None if interrupted else workers[name]) if row.timed else row
        for name, row in rows.items()
    }
    measurement = replace(
        empty,
        rows=tuple(filled[name] for name in bench.backends),
        again=filled[AGAIN],
        limits=None if LIMITS in failures else _limits(done),
    )
    if interrupted:
        raise Interrupted(measurement)
    return measurement


def _player(name: str, worker: Worker, point: Point) -> Player:
    if name != LIMITS:
        return calibrated(worker, CALLS)
    worker.request("prepare_limits", dtype=point.dtype, threads=point.threads)
    return calibrated(worker, ("multiply", "copy"))


def _filled(
    row: Row,
    name: str,
    players: dict[str, Player],
    done: Sequence[Round],
    failures: dict[str, WorkerError],
    worker: Worker | None,
) -> Row:
    """Return the row with its rounds, and with its memory where there is a worker to ask."""
    if name in failures:
        return _untimed(row, failures[name].status, failures[name].reason)
    seconds: dict[str, Any] = {call: tuple(r[name][call]["seconds"] for r in done) for call in CALLS}
    rounds = Rounds(**seconds, threads=tuple(r[name]["step"]["threads"] for r in done))
    row = replace(row, rounds=rounds, steps_per_round=players[name].counts["step"])
    if worker is None:
        return row
    try:
        memory = worker.request("memory")
    except WorkerError as failure:
        return _untimed(row, failure.status, failure.reason)
    return replace(row, peak_memory=memory["peak"], working_memory=memory["working"])


def _limits(done: Sequence[Round]) -> Limits:
    from gradparity_bench.engine.limits import MOVED, MULTIPLY_FLOPS

    return Limits(
        flops_per_second=tuple(MULTIPLY_FLOPS / r[LIMITS]["multiply"]["seconds"] for r in done),
        bytes_per_second=tuple(MOVED / r[LIMITS]["copy"]["seconds"] for r in done),
    )
