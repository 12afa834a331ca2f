"""One point: the guard, then sitting after sitting, until every contestant has had its rounds."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from gradparity_bench.drawn import Drawn, draw
from gradparity_bench.engine.process import Worker
from gradparity_bench.engine.sitting import Bench, Race, sit
from gradparity_bench.entries import Entry
from gradparity_bench.points import spec_at, step_bytes
from gradparity_bench.results import Measurement
from gradparity_bench.standings import CALLS, Call, Point, Standing

STEPS_PER_EPOCH = 8


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two rounds; what the finished rounds say is kept."""

    def __init__(self, measurement: Measurement) -> None:
        super().__init__()
        self.measurement = measurement


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
    empty = Measurement(
        point,
        flops=spec.flops(point.batch_size),
        bytes=step_bytes(spec, point.batch_size, point.dtype),
        examples=len(drawn.examples),
        rows=(),
    )
    standings = {}
    for entry in entries:
        bench.progress(f"checking {entry.name}")
        status, reason = bench.guard.before(entry, point)
        standings[entry.name] = Standing(entry.name, entry.library, None, status, reason)
    with ExitStack() as stack:
        machine = stack.enter_context(Worker(point.threads, bench.folder, bench.patience)) if limits else None
        race = Race(bench, empty, entries, arrays, calls, np.random.default_rng(bench.seed), standings, machine)
        try:
            for rounds in dealt(bench.rounds, bench.processes):
                sit(race, rounds)
        except KeyboardInterrupt:
            if not race.rounds:
                raise
            raise Interrupted(race.measurement) from None
    return race.measurement


def dealt(rounds: int, processes: int) -> list[int]:
    """Deal out rounds to processes as evenly as it goes; more processes than rounds are not started."""
    return [rounds // processes + (number < rounds % processes) for number in range(min(rounds, processes))]
