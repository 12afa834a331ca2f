"""``gradparity bench MODEL`` and ``gradparity bench compare OLD NEW``. What computes is imported when it runs."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gradparity.report.cli import options
from gradparity.report.cli.options import BatchSize, DtypeName, JsonFile, ModelOrFile, Seed, Set
from gradparity_bench.ratio import ROUNDS


class _RunUnlessNamed(TyperGroup):
    """A group whose command ``run`` need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] and args[0] in self.commands else ["run", *args])


app = typer.Typer(cls=_RunUnlessNamed, help="Time the training step of every backend, in turns.", add_completion=False)


@app.command()
def run(
    model: ModelOrFile = "softmax_regression",
    backends: Annotated[
        str | None,
        typer.Option(
            "--backends",
            help="Names that `gradparity backends` lists, with commas; the first is what the others are compared "
            "with. Without it numpy, jax and torch, as far as installed.",
        ),
    ] = None,
    settings: Set = None,
    batch_size: BatchSize = 64,
    dtype: DtypeName = "float32",
    threads: Annotated[str, typer.Option("--threads", help="Threads of each backend; 1,2 measures both.")] = "1",
    seed: Seed = 42,
    rounds: Annotated[int, typer.Option("--rounds", help="How often every backend has its turn.")] = ROUNDS,
    grid: Annotated[bool, typer.Option("--grid", help="All backends, as a grid of library and method.")] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NAME=V1,V2",
            help="Measure at each value of batch_size, dtype, threads, width, depth or a setting of the model; "
            "may be repeated.",
        ),
    ] = None,
    json: JsonFile = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write one HTML page with plots.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="FILE", help="Where a sweep keeps its finished points.")
    ] = None,
) -> None:
    """Time the training step of every backend whose gradients agree, in turns, each in a process of its own.

    To see what changed between two results that --json wrote:  gradparity bench compare OLD.json NEW.json
    """
    from gradparity.errors import UsageError
    from gradparity_bench import bench

    if grid and backends is not None:
        raise UsageError("--grid takes every registered backend: leave out --grid or --backends")
    names = None if backends is None else options.names_of(backends)
    axes = bench.axes(batch_size, dtype, threads, sweep or [])
    status = bench.bench(
        model,
        settings or [],
        axes,
        backends=names,
        grid=grid,
        seed=seed,
        rounds=rounds,
        json=json,
        report=report,
        resume=resume,
    )
    raise typer.Exit(status)


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="A result that --json wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="A later one, from the same machine.")],
) -> None:
    """Say what became slower or faster beyond the noise; exit 1 if anything became slower."""
    from gradparity_bench import changes
    from gradparity_bench.results import Result

    found = changes.changes(Result.read(old), Result.read(new))
    for line in changes.describe(found):
        print(line)
    raise typer.Exit(1 if found.slower else 0)
