"""``gradparity check``: parity alone, line by line, and on request step by step."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from gradparity.report.cli import options
from gradparity.report.cli.options import (
    Backends,
    DrawnExamples,
    DrawSeed,
    JsonFile,
    LearningRate,
    ModelOrFile,
    Open,
    OptimizerName,
    Quiet,
    ScheduleName,
    Set,
    Verbose,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradparity.parity.report import Report
    from gradparity.parity.training_parity import TrainingParity
    from gradparity.protocol import Dtype, Line

UNSWEPT = ("settings", "n", "steps", "optimizer", "schedule", "lr", "page", "replay", "order")
REPLAYED = ("model", "settings", "backends", "n", "dtype", "seed")
TRACED = ("backends", "dtype", "steps", "order", "draws", "replay")


class CheckCommand(TyperCommand):
    """``gradparity check``, which refuses an option that would change nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the arguments. Raises UsageError for an option without the one it belongs to."""
        rest = super().parse_args(ctx, args)
        if ctx.params["draws"] is None:
            options.refuse_given(ctx, "is for sweeps: add --draws N, or leave it out", "jobs", "resume")
        else:
            rule = "has no use in a sweep, which draws settings and sizes, compares gradients and makes no page"
            options.refuse_given(ctx, f"{rule}: leave it out", *UNSWEPT)
        if ctx.params["steps"] is None:
            options.refuse_given(ctx, "is for training: add --steps N, or leave it out", "optimizer", "schedule", "lr")
        if ctx.params["replay"] is not None:
            options.refuse_given(ctx, "is kept in the file of --replay: leave it out", *REPLAYED)
        if ctx.params["against"] is not None:
            options.refuse_given(ctx, "has no use with --against, which checks a file: leave it out", *TRACED)
        return rest


def check_command(
    model: ModelOrFile = "softmax_regression",
    backends: Backends = None,
    settings: Set = None,
    n: DrawnExamples = 11,
    dtype: Annotated[
        str, typer.Option("--dtype", help="float32, float64 or both.", rich_help_panel=options.CHOSEN)
    ] = "both",
    seed: DrawSeed = 0,
    order: Annotated[
        int, typer.Option("--order", help="2 compares Hessian-vector products as well.", rich_help_panel=options.CHOSEN)
    ] = 1,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            help="Train every backend that many steps too, and compare after 10, 100, …",
            rich_help_panel=options.TRAINED,
        ),
    ] = None,
    optimizer: OptimizerName = "sgd",
    schedule: ScheduleName = "constant",
    lr: LearningRate = 0.1,
    json: JsonFile = None,
    page: Annotated[Path | None, options.output("--report", "Write one HTML page.")] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            help="Check that many random seeds, sizes and settings instead of one.",
            rich_help_panel=options.SWEPT,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", help="Processes of a sweep; -1 is one for each core.", rich_help_panel=options.SWEPT),
    ] = 1,
    resume: Annotated[Path | None, options.output("--resume", "Where a sweep keeps its finished draws.")] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay", metavar="FILE", help="Check again the draw that a sweep kept.", rich_help_panel=options.SWEPT
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="Check a trace that another program wrote.",
            rich_help_panel=options.CHOSEN,
        ),
    ] = None,
    owners: Annotated[
        list[str] | None,
        typer.Option(
            "--names",
            metavar="GRADIENT=NAME",
            help="Of plain code: whose gradient a name is.",
            rich_help_panel=options.CHOSEN,
        ),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(
            "--loss",
            metavar="EXPRESSION",
            help="Of plain code: its loss, in its own names.",
            rich_help_panel=options.CHOSEN,
        ),
    ] = "",
    opened: Open = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Compare every named value and gradient of a model at random parameters; exit 1 if they disagree."""
    from gradparity.drawing.terminal import telling
    from gradparity.errors import UsageError, require_package
    from gradparity.output import require_writable
    from gradparity.parity.problem import LANES
    from gradparity.parity.training_parity import require_in_range, training_parity
    from gradparity.report.cli import sweep
    from gradparity.schedules import scheduled
    from gradparity.subjects import plain, specs, traced

    options.require_drawable(n, seed)
    options.require_page(page, opened)
    rate = scheduled(schedule, lr, 1 if steps is None else steps)
    if steps is not None:
        require_in_range(steps, n, optimizer, rate)
    if page is not None:
        require_package("matplotlib", "plots", "--report")
    lanes: Sequence[Dtype] | None = None if dtype == "both" else (options.dtype_of(dtype),)
    names = None if backends is None else options.names_of(backends)
    require_writable(json, page, resume, inputs=(plain.split(model)[0], replay, against))
    if draws is not None:
        raise typer.Exit(
            sweep.run(
                model, draws, seed=seed, backends=names, lanes=lanes or LANES, jobs=jobs, resume=resume, json=json
            )
        )
    if plain.is_plain(model):
        others = {"--backends": backends, "--set": settings, "--steps": steps, "--replay": replay, "--against": against}
        given = [option for option, value in others.items() if value is not None]
        if given:
            raise UsageError(f"{given[0]} is for models, got plain code, {model}: leave it out")
        with telling(f"running {model} until its gradients are computed, at most {plain.SECONDS:.0f} s"):
            code = plain.check_file(model, names=owners or (), loss=loss, seed=seed)
        raise typer.Exit(shown(code, None, json, page, opened))
    if owners or loss:
        raise UsageError(f"--names and --loss are for plain code, got the model {model}: leave them out")
    with telling(f"reading {replay or model}") as now:  # a user's file may import what takes seconds
        if replay is not None:
            draw = sweep.counter_example(replay)
            spec, names, n, seed, lanes = draw.spec, list(draw.backends), draw.n, draw.seed, draw.lanes
        else:
            spec = specs.spec_of(model, settings or [])
        now(f"comparing {spec.name} with what machines derive, line by line")
        report = (
            specs.check(spec, backends=names, n=n, seed=seed, lanes=lanes, order=order)
            if against is None
            else traced.against(against, spec, n=n, seed=seed)
        )
    if not report.rows:
        raise UsageError("; ".join(["nothing was compared", *map(str, report.unchecked)]))
    training = None
    if steps is not None:
        training = training_parity(
            spec,
            backends=report.backends,
            steps=steps,
            optimizer=optimizer,
            lr=rate,
            n=n,
            seed=seed,
            lanes=[lane for lane in LANES if any(row.lane == lane for row in report.rows)],
        )

    raise typer.Exit(shown(report, training, json, page, opened, spec.derivation))


def shown(
    report: "Report",
    training: "TrainingParity | None",
    json: Path | None,
    page: Path | None,
    opened: bool,
    derivation: "Sequence[Line]" = (),
) -> int:
    """Show what was found wherever it is asked for; return the exit status."""
    from gradparity.drawing.terminal import console
    from gradparity.output import write_json, write_text

    if json is not None:
        write_json(json, {**report.to_dict(), **({} if training is None else {"training": training.to_dict()})})
    if page is not None:
        from gradparity.report.page import check_page

        write_text(page, check_page(report, training, derivation))
    console.print(report)
    if training is not None:
        console.print("", training, sep="\n")
    options.tell_page(page, opened)
    return 0 if report.agrees and (training is None or training.agrees) else 1
