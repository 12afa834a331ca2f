"""A contest: who trains the same, timed in turns by whole epochs, and shown as a table."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import typer

from gradparity.drawing import Table, text
from gradparity.errors import UsageError
from gradparity.models import RegisteredSpec
from gradparity.output import scratch, write_json
from gradparity.protocol import Examples
from gradparity_bench.drawn import EPOCHS, Task, draw
from gradparity_bench.engine.guard import weight_guard
from gradparity_bench.engine.measure import measure_contestants
from gradparity_bench.engine.sitting import Bench, Progress
from gradparity_bench.entries import LR, Entry
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point

SEED = 42
"""The notebook's: of the initial weights, and then of each epoch's order."""
PATIENCE = 600.0
"""Seconds without an answer after which a worker is ended: a turn is two epochs of a second, a start some ten."""


def contests(
    groups: Sequence[Sequence[Entry]],
    spec: RegisteredSpec,
    examples: Examples,
    *,
    batch_size: int,
    threads: int,
    rounds: int,
    processes: int,
    progress: Progress,
) -> list[Measurement]:
    """Time the epochs of each group in turns; the first of a group is what the others are compared with.

    Who does not come to the right weights is not timed, and without the first nobody of its group is.
    """
    point = Point(spec.name, asdict(spec), batch_size, "float32", threads)
    drawn = draw(spec, examples, SEED, EPOCHS)
    progress("training in float64, to know how far rounding goes")
    guard = weight_guard(Task(point, drawn, LR))
    with scratch() as folder:
        bench = Bench(rounds, processes, SEED, guard, folder, PATIENCE, progress)
        found = [measure_contestants(bench, group, point, drawn, ("epoch",), limits=False) for group in groups]
    return [_with_its_first(m) for m in found]


def _with_its_first(m: Measurement) -> Measurement:
    first = m.rows[0]
    if first.timed:
        return m
    lost = [replace(first, backend=row.backend, library=row.library) if row.timed else row for row in m.rows]
    return replace(m, rows=tuple(lost), again=None)


def show_all(
    shown: Mapping[str, Sequence[Measurement]],
    tables: Sequence[Table],
    machine: Mapping[str, str],
    json: Path | None,
    *,
    as_markdown: bool,
) -> None:
    """Print the tables and what they were measured on; write the raw numbers, by the title of their table."""
    if json is not None:
        content = [{"title": title, "measurements": [asdict(m) for m in found]} for title, found in shown.items()]
        write_json(json, {"machine": dict(machine), "tables": content})
    for table, found in zip(tables, shown.values(), strict=True):
        print(text.markdown(table) if as_markdown else text.text(table), end="\n\n")
        for said in (said for m in found for said in refusals(m)):
            print(said, end="\n\n")  # not wrapped: a command in it is copied as it is typed
    print(machine_line(machine))


def machine_line(machine: Mapping[str, str]) -> str:
    """Return in one line what was measured on."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def interval(m: Measurement, backend: str, to: str) -> tuple[str, str]:
    """Write the ratio of an epoch with the verdict, and its interval; the ratio alone of what is compared to itself."""
    ratio = m.ratio(backend, to, "epoch")
    if ratio is None or backend == to:
        return "" if ratio is None else "1×", ""
    said = m.verdict(backend, to, "epoch") or "unknown"
    return f"{ratio.value:.3g}× {said}", f"{ratio.low:.3g}–{ratio.high:.3g}"


def refusals(m: Measurement) -> list[str]:
    """Say of each who is not timed why, a sentence each."""
    return [f"{row.backend} is not timed: {row.reason}" for row in m.rows if not row.timed]


def run_app(app: typer.Typer, program: str, arguments: list[str]) -> int:
    """Run a command of its own; return the exit status, with unusable input in one line on standard error."""
    try:
        return app(arguments, prog_name=f"python -m {program}", standalone_mode=False) or 0
    except UsageError as error:
        problem = str(error)
    except typer.TyperException as error:
        problem = error.format_message()
    print(f"{program}: {' '.join(problem.split())}", file=sys.stderr)
    return 2
