"""The benchmark of many points, each kept as soon as it is finished."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gradparity import journal, registry
from gradparity.errors import UsageError, unknown
from gradparity.formats import Count
from gradparity.inputs import require_fits
from gradparity.manifest import manifest
from gradparity.output import scratch
from gradparity.subjects.model_file import file_of
from gradparity_bench import PROCESSES, ROUNDS
from gradparity_bench.choice import choices
from gradparity_bench.engine.guard import gradient_guard
from gradparity_bench.engine.measure import STEPS_PER_EPOCH, Interrupted, measure_point
from gradparity_bench.engine.process import cores
from gradparity_bench.engine.sitting import Bench, Progress
from gradparity_bench.points import spec_at
from gradparity_bench.results import SCHEMA, Measurement, Result
from gradparity_bench.standings import Point

PATIENCE = 120.0
"""Seconds."""


@dataclass(frozen=True)
class BenchHeader:
    """The first line of a benchmark's journal: with anything else, its points would tell of something else."""

    backends: tuple[str, ...]
    rounds: int
    processes: int
    seed: Count
    machine: Mapping[str, str]
    code: Mapping[str, str]
    """Model file -> the hash of it and of its neighbours."""
    schema: Literal["gradparity-bench/1"] = SCHEMA
    format: Literal["gradparity-journal/2"] = journal.FORMAT


def point_of(measurement: Measurement) -> str:
    """Return what tells a point from every other."""
    return repr(measurement.point)


def run(
    points: Sequence[Point],
    backends: Sequence[str] = registry.DEFAULT,
    *,
    rounds: int = ROUNDS,
    processes: int = PROCESSES,
    seed: int = 0,
    keep: Path | None = None,
    patience: float = PATIENCE,
    progress: Progress = lambda _: None,
) -> Result:
    """Time the training step of every backend at every point, in turns, each in processes of its own.

    The rounds are dealt out to so many ``processes`` of each backend, one after another. A backend that is missing,
    disagrees, dies, hangs for ``patience`` seconds or runs out of memory has a row that says so, and the others are
    timed. Each finished point is appended to the file ``keep``, and not measured again when that is given again with
    the same backends, rounds, processes, seed and machine. After Ctrl-C the result holds what was finished, and
    ``complete`` is false. ``progress`` is told what comes next.

    Raises UsageError, before anything is timed, for an unknown backend, a point that cannot be, fewer than 3 rounds,
    and a file that was kept by another run or is in use.
    """
    names = tuple(dict.fromkeys(backends))
    _require_possible(points, names, rounds, processes)
    machine = manifest()
    files = {point.model: file for point in points if (file := file_of(point.model))}
    code = {model: journal.content_hash(file) for model, file in files.items()}
    header = BenchHeader(names, rounds, processes, seed, machine, code)
    began = {"began": datetime.now(UTC).isoformat(timespec="seconds")}
    found: list[Measurement] = []
    complete = True
    try:
        with (
            journal.opened(keep, header, Measurement, point_of) as (done, add),
            _bench(rounds, processes, seed, patience, progress) as bench,
        ):
            for number, point in enumerate(points, start=1):
                progress(f"point {number} of {len(points)}")
                before = next((m for m in done if m.point == point), None)
                found.append(before or measure_point(bench, names, point))
                if before is None:
                    add(found[-1])
    except Interrupted as interrupt:
        found.append(interrupt.measurement)
        complete = False
    except KeyboardInterrupt:
        complete = False
    return Result(machine | began, seed, tuple(found), complete, choices(found))


def _require_possible(points: Sequence[Point], backends: Sequence[str], rounds: int, processes: int) -> None:
    registered = registry.names()
    for name in backends:
        if name not in registered:
            raise unknown("backend", name, registered)
    if not backends or not points:
        raise UsageError("a benchmark needs at least one backend and one point, got none")
    if rounds < 3:
        raise UsageError(f"--rounds must be at least 3, got {rounds}: fewer have no confidence interval")
    if processes < 1:
        raise UsageError(f"--processes must be at least 1, got {processes}")
    for point in points:
        if point.batch_size < 1:
            raise UsageError(f"--batch-size must be at least 1, got {point.batch_size}")
        cores(point.threads)
        require_fits(spec_at(point), STEPS_PER_EPOCH * point.batch_size)


@contextmanager
def _bench(rounds: int, processes: int, seed: int, patience: float, progress: Progress) -> Iterator[Bench]:
    with (
        scratch() as folder,
        gradient_guard(folder, patience) as guard,
    ):
        yield Bench(rounds, processes, seed, guard, folder, patience, progress)
