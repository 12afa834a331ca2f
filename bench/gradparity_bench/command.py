"""``gradparity bench MODEL`` and ``gradparity bench compare OLD NEW``. What computes is imported when it runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from gradparity.errors import UsageError, require_package
from gradparity.report.cli.options import (
    CHOSEN,
    SWEPT,
    BatchSize,
    Data,
    DataDir,
    DtypeName,
    JsonFile,
    ModelOrFile,
    Open,
    Quiet,
    Seed,
    Set,
    Verbose,
    backend_names,
    dtype_of,
    names_of,
    output,
    require_page,
    tell_page,
)
from gradparity_bench import PROCESSES, ROUNDS

if TYPE_CHECKING:
    from gradparity.models import Sizes
    from gradparity_bench.results import Result

Axes = dict[str, list[Any]]
"""Name of a size -> its values, as ``points`` takes them."""


class _RunUnlessNamed(TyperGroup):
    """A group whose command ``run`` need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] and args[0] in self.commands else ["run", *args])


app = typer.Typer(cls=_RunUnlessNamed, help="Time the training step of every backend, in turns.", add_completion=False)


@app.command("run", epilog="Example:  gradparity bench mlp --sweep batch_size=32,512 --report out.html")
def bench_command(
    model: ModelOrFile = "softmax_regression",
    backends: Annotated[
        str | None,
        typer.Option(
            "--backends",
            help="Names that `gradparity backends` lists, with commas; the first is what the others are compared "
            "with. Without it numpy, jax and torch, as far as installed.",
            autocompletion=backend_names,
            rich_help_panel=CHOSEN,
        ),
    ] = None,
    settings: Set = None,
    data: Data = None,
    data_dir: DataDir = None,
    batch_size: BatchSize = 64,
    dtype: DtypeName = "float32",
    threads: Annotated[
        str, typer.Option("--threads", help="Threads of each backend; 1,2 measures both.", rich_help_panel=CHOSEN)
    ] = "1",
    seed: Seed = 42,
    rounds: Annotated[
        int, typer.Option("--rounds", help="How often every backend has its turn.", rich_help_panel=CHOSEN)
    ] = ROUNDS,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            help="Processes of every backend, one after another, that share its turns.",
            rich_help_panel=CHOSEN,
        ),
    ] = PROCESSES,
    grid: Annotated[
        bool, typer.Option("--grid", help="All backends, as a grid of library and method.", rich_help_panel=CHOSEN)
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NAME=V1,V2",
            help="Measure at each value of batch_size, dtype, threads, width, depth or a setting of the model; "
            "may be repeated.",
            rich_help_panel=SWEPT,
        ),
    ] = None,
    json: JsonFile = None,
    report: Annotated[Path | None, output("--report", "Write one HTML page with plots.")] = None,
    resume: Annotated[Path | None, output("--resume", "Where a sweep keeps its finished points.")] = None,
    opened: Open = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Time the training step of every backend whose gradients agree, in turns, each in a process of its own.

    To see what changed between two results that --json wrote:  gradparity bench compare OLD.json NEW.json
    """
    import gradparity_bench
    from gradparity import journal, registry
    from gradparity.drawing.terminal import telling
    from gradparity.output import require_writable, write_json, write_text
    from gradparity.subjects.plain import split
    from gradparity_bench.points import points
    from gradparity_bench.terminal import print_result

    require_page(report, opened)
    require_package("scipy", "bench", "gradparity bench")
    if report is not None:
        require_package("matplotlib", "plots", "--report")
    if grid and backends is not None:
        raise UsageError("--grid takes every registered backend: leave out --grid or --backends")
    if seed < 0:
        raise UsageError(f"--seed must be at least 0, got {seed}")
    require_writable(json, report, resume, inputs=(split(model)[0],))
    sizes = _sizes(model, data, data_dir, seed)
    where = points(model, settings or [], data=sizes, **_axes(batch_size, dtype, threads, sweep or []))
    if resume is not None and len(where) == 1:
        raise UsageError("--resume keeps the points of a sweep, got one point: add --sweep NAME=V1,V2, or leave it out")
    names = names_of(backends) if backends is not None else registry.names() if grid else registry.installed()
    # Without --resume, several points are kept in a file that only an interrupt leaves.
    own = Path(f"gradparity-bench-{Path(model).stem}-seed{seed}.jsonl").absolute()
    keep = resume or (own if len(where) > 1 else None)
    require_writable(json, report, keep)
    with telling() as progress:
        result = gradparity_bench.run(
            where, names, rounds=rounds, processes=processes, seed=seed, keep=keep, progress=progress
        )
    if keep is not None and not result.complete:
        print(f"Finished points are kept in {keep}: the same command goes on there.", file=sys.stderr)
    if result.measurements:  # else interrupted before anything was measured: older files stay as they are
        if json is not None:
            write_json(json, result.to_dict())
        if report is not None:
            from gradparity_bench.page import bench_page

            write_text(report, bench_page(result))
        if resume is None and keep is not None and result.complete:
            journal.discard(keep, len(where))
    print_result(result, as_grid=grid)
    if result.measurements:
        tell_page(report, opened)
    raise typer.Exit(_status(result))


@app.command("compare", epilog="Example:  gradparity bench compare before.json after.json")
def compare_command(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="A result that --json wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="A later one, from the same machine.")],
) -> None:
    """Say what became slower or faster beyond the noise; exit 1 if anything became slower."""
    from gradparity_bench import changes
    from gradparity_bench.results import Result

    found = changes.changes(Result.read(old), Result.read(new))
    for line in changes.changes_in_words(found):
        print(line)
    raise typer.Exit(1 if found.slower else 0)


def _sizes(model: str, data: str | None, data_dir: Path | None, seed: int) -> "Sizes | None":
    """Load the data set whose sizes a built-in model takes. Raises UsageError where a model of one's own is given any.

    A file states its sizes itself.
    """
    from gradparity.data import load
    from gradparity.models import data_of
    from gradparity.subjects.model_file import is_file

    if not is_file(model):
        return load(data or data_of(model), data_dir=data_dir, seed=seed)
    if data is not None:
        raise UsageError(f"--data gives a built-in model its sizes, got it for {model}, which states its own: leave it")
    return None


def _axes(batch_size: int, dtype: str, threads: str, sweep: Sequence[str]) -> Axes:
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


def _status(result: "Result") -> int:
    """Return the exit status: 1 where gradients disagree. Raises UsageError where nothing could be timed."""
    from gradparity.__main__ import INTERRUPTED

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
