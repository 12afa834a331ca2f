"""``gradparity bench``: from the words of its options to points, and from a result to what the user sees."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradparity_bench
from gradparity import registry
from gradparity.__main__ import INTERRUPTED
from gradparity.drawing.terminal import progress
from gradparity.errors import UsageError
from gradparity.output import require_writable, write_json, write_text
from gradparity.registry import installed
from gradparity.report.cli.options import dtype_of
from gradparity_bench.points import points
from gradparity_bench.results import Point, Result
from gradparity_bench.terminal import print_result

Axes = dict[str, list[Any]]
"""Name of a size -> its values, as ``points`` takes them."""


def axes(batch_size: int, dtype: str, threads: str, sweep: Sequence[str]) -> Axes:
    """Return the values of every size. Raises UsageError for what is not NAME=V1,V2, and a size that is named twice."""
    found: Axes = {"batch_size": [batch_size], "dtype": [dtype_of(dtype)], "threads": _integers("--threads", threads)}
    swept = set()
    for each in sweep:
        name, equals, values = each.partition("=")
        if not (name and equals and values):
            raise UsageError(f"--sweep is written NAME=V1,V2, got '{each}': try --sweep batch_size=32,512")
        if name in swept:
            raise UsageError(f"--sweep names '{name}' twice: give all its values with commas")
        swept.add(name)
        found[name] = _values(name, values)
    return found


def bench(
    model: str,
    settings: Sequence[str],
    axes: Mapping[str, Sequence[Any]],
    *,
    backends: Sequence[str] | None,
    grid: bool,
    seed: int,
    rounds: int,
    json: Path | None,
    report: Path | None,
    resume: Path | None,
) -> int:
    """Measure, print, and write what was asked; return the exit status, 1 where gradients disagree.

    Without ``resume``, several points are kept in a file with a name of its own, which is deleted at the end, so that
    only an interrupt leaves it.
    """
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")
    for path in (json, report, resume):
        require_writable(path)
    where = points(model, settings, **axes)
    names = backends or (registry.names() if grid else installed())
    keep = resume or (Path(f"gradparity-bench-{Path(model).stem}-seed{seed}.jsonl") if len(where) > 1 else None)
    if keep is not None:
        require_writable(keep)
    result = _run(where, names, rounds=rounds, seed=seed, keep=keep)
    if keep is not None and not result.complete:
        print(f"Finished points are kept in {keep}: the same command goes on there.", file=sys.stderr)
    print_result(result, as_grid=grid)
    if not result.measurements:  # interrupted before anything was measured: older files stay as they are
        return _status(result)
    if json is not None:
        write_json(json, result.to_dict())
    if report is not None:
        from gradparity_bench.page import bench_page

        write_text(report, bench_page(result))
        print(f"The page with the plots is {report}")
    if resume is None and keep is not None and result.complete:
        keep.unlink()
    return _status(result)


def _run(where: Sequence[Point], names: Sequence[str], *, rounds: int, seed: int, keep: Path | None) -> Result:
    with progress() as display:
        task = display.add_task("starting", total=None)
        return gradparity_bench.run(
            where,
            names,
            rounds=rounds,
            seed=seed,
            keep=keep,
            progress=lambda now: display.update(task, description=now),
        )


def _status(result: Result) -> int:
    if not result.complete:
        return INTERRUPTED
    rows = [row for m in result.measurements for row in m.rows]
    if any(row.status == "disagrees" for row in rows):
        return 1
    if not any(row.timed for row in rows):
        raise UsageError("nothing could be timed: the reasons are above")
    return 0


def _values(name: str, text: str) -> list[Any]:
    if name in ("batch_size", "threads", "width", "depth"):
        return _integers(f"--sweep {name}", text)
    values = [value.strip() for value in text.split(",")]
    return [dtype_of(value) for value in values] if name == "dtype" else [_number_or_word(value) for value in values]


def _integers(option: str, text: str) -> list[int]:
    try:
        return [int(value) for value in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} takes whole numbers with commas, got '{text}'") from None


def _number_or_word(text: str) -> int | float | str:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
