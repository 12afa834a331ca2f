"""``gradparity check --draws`` and ``--replay``: many random draws of a model, and one of them again."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gradparity import formats
from gradparity.drawing import table_of
from gradparity.drawing.terminal import Shown, console, progress
from gradparity.errors import UsageError
from gradparity.journal import discard
from gradparity.output import require_writable, write_json
from gradparity.protocol import Dtype
from gradparity.subjects.plain import split
from gradparity.sweep.draws import Draw, SweepResult, sweep


def run(
    model: str,
    count: int,
    *,
    seed: int,
    backends: Sequence[str] | None,
    lanes: Sequence[Dtype],
    jobs: int,
    resume: Path | None,
    json: Path | None,
) -> int:
    """Sweep, print what was found, keep the first counter-example as a file; return the exit status.

    Without ``resume`` the journal has a name of its own and is deleted at the end, so that only an interrupt leaves
    it, or one of more draws. Raises UsageError for counts below 1, and where a file cannot be written.
    """
    if count < 1:
        raise UsageError(f"--draws must be at least 1, got {count}")
    if jobs < 1 and jobs != -1:
        raise UsageError(f"--jobs must be at least 1, or -1 for every core, got {jobs}")
    here, sweep_name = Path.cwd(), f"{Path(model).stem}-seed{seed}"
    journal = resume if resume is not None else here / f"gradparity-sweep-{sweep_name}.jsonl"
    require_writable(journal, json, inputs=(split(model)[0],))
    try:
        with progress(counted=True) as display:
            task = display.add_task(model, total=count)
            result = sweep(
                model,
                count,
                seed=seed,
                backends=backends,
                lanes=lanes,
                jobs=jobs,
                journal=journal,
                progress=lambda done: display.update(task, completed=done),
            )
    except KeyboardInterrupt:
        print(f"Finished draws are kept in {journal}: the same command goes on there.", file=sys.stderr)
        raise
    if resume is None:
        discard(journal, count)
    if json is not None:
        write_json(json, _to_dict(result, lanes))
    _print_worst(result, f"{model}: {len(result.outcomes)} draws, seed {seed}", lanes)
    if result.counter_example is None:
        print(f"All {len(result.outcomes)} draws agree.")
        return 0
    kept = here / f"gradparity-counter-example-{sweep_name}-draw{result.counter_example.index}.json"
    write_json(kept, asdict(result.counter_example))
    console.print(result.counter_example.check())
    print(f"Draw {result.counter_example.index} disagrees. To check it again:  gradparity check --replay {kept.name}")
    return 1


def counter_example(path: Path) -> Draw:
    """Return the draw that a sweep kept in a file. Raises UsageError where the file holds none."""
    return formats.read(path, Draw, "a counter-example", "give the file that gradparity check --draws kept")


QUANTILES = {"median": 0.5, "99 %": 0.99, "largest": 1.0}


def _print_worst(result: SweepResult, title: str, lanes: Sequence[Dtype]) -> None:
    rows = ((lane, *(f"{result.quantile(lane, q):.1e}" for q in QUANTILES.values())) for lane in lanes)
    caption = "largest error of a draw, as a share of its limit"
    console.print(Shown(table_of(title, ("lane", *QUANTILES), [rows], caption=caption)))


def _to_dict(result: SweepResult, lanes: Sequence[Dtype]) -> dict[str, Any]:
    """Return plain data, for JSON; an infinite share is None there."""
    shares = {lane: {heading: result.quantile(lane, q) for heading, q in QUANTILES.items()} for lane in lanes}
    return {
        "draws": len(result.outcomes),
        "worst": {
            lane: {heading: share if share < float("inf") else None for heading, share in own.items()}
            for lane, own in shares.items()
        },
        "counter_example": None if result.counter_example is None else asdict(result.counter_example),
    }
