"""``gradparity compare``, the main job: check every backend, train each on the same batches, time them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gradparity.drawing import Table, TableCell, TableColumn, TableNumber, table_of
from gradparity.report.cli import options
from gradparity.report.cli.options import (
    Backends,
    BatchSize,
    Data,
    DataDir,
    DtypeName,
    EpochCount,
    JsonFile,
    LearningRate,
    ModelOrFile,
    Open,
    OptimizerName,
    Quiet,
    ScheduleName,
    Seed,
    Set,
    Verbose,
)

if TYPE_CHECKING:
    from gradparity.comparison import Comparison, TrainedBackend


def compare_command(
    model: ModelOrFile = "softmax_regression",
    backends: Backends = None,
    settings: Set = None,
    data: Data = None,
    data_dir: DataDir = None,
    epochs: EpochCount = 8,
    batch_size: BatchSize = 64,
    lr: LearningRate = 0.1,
    optimizer: OptimizerName = "sgd",
    schedule: ScheduleName = "constant",
    dtype: DtypeName = "float32",
    seed: Seed = 42,
    json: JsonFile = None,
    report: Annotated[Path | None, options.output("--report", "Write one HTML page with plots.")] = None,
    opened: Open = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Check, train and time every backend on the same model and data; exit 1 if gradients disagree."""
    from gradparity import comparison, comparison_file
    from gradparity.errors import require_package
    from gradparity.output import require_writable, write_json, write_text
    from gradparity.registry import installed
    from gradparity.subjects.model_file import file_of
    from gradparity.training import Settings

    options.require_page(report, opened)
    require_package("scipy", "bench", "gradparity compare")
    if report is not None:
        require_package("matplotlib", "plots", "--report")
    how = Settings(epochs, batch_size, lr, optimizer, options.dtype_of(dtype), seed, schedule)
    names = installed() if backends is None else options.names_of(backends)
    require_writable(json, report, inputs=(data, file_of(model)))
    spec, dataset = options.load_for(model, settings, data, data_dir, seed)

    from gradparity.drawing.terminal import Shown, console, telling

    with telling() as progress:
        result = comparison.compare(spec, dataset, how, names, progress)
    if json is not None:
        write_json(json, comparison_file.to_dict(result))
    if report is not None:
        from gradparity.report.page import comparison_page

        write_text(report, comparison_page(result))
    console.print(result.report, "", Shown(_table(result)), sep="\n")
    options.tell_page(report, opened)
    raise typer.Exit(0 if result.agrees else 1)


def _table(result: "Comparison") -> Table:
    """A row for each backend, parity, training and cost; below it, how the first steps of training went."""
    s = result.settings
    title = (
        f"{result.spec.name} on {result.dataset.name}: {s.epochs} epochs, batch {s.batch_size}, lr {s.lr:g}, "
        f"{s.optimizer}, {s.dtype}, seed {s.seed}"
    )
    caption = (
        f"weights: largest difference from {result.runs[0].backend}'s after training; "
        "step: time of a training step on one thread as a ratio, measured in turns, and the ratio's 95% interval"
    )
    if result.timings is not None:
        caption += (
            f"; a ratio within {result.timings.noise_floor:.2f}×, from two copies of {result.timings.base}, is a tie"
        )
    columns = ("backend", TableColumn("gradients", "code"), "loss", "test acc.", "weights", "step", "interval")
    rows = (_cells(result, run) for run in result.runs)
    table = table_of(title, columns, [rows], caption=caption)
    return replace(table, findings=result.findings, headline=result.headline)


def _cells(result: "Comparison", run: "TrainedBackend") -> Iterator[TableCell | str]:
    yield run.backend
    yield TableCell(("agree",), "✓") if result.report.agrees_for(run.backend) else TableCell(("disagree",), "✗")
    yield f"{run.epochs[-1].loss:.4f}"
    yield "" if run.test_accuracy is None else f"{run.test_accuracy:.2%}"
    yield TableCell((TableNumber(run.differences[-1], "error"),))
    timings = result.timings
    if timings is None or run.backend not in timings.seconds:
        yield from ("not timed", "")
    elif run.backend == timings.base:
        yield from ("1×", "")
    else:
        ratio = timings.ratio(run.backend)
        yield from (f"{ratio.value:.2f}× {timings.verdict(run.backend)}", f"{ratio.low:.2f}–{ratio.high:.2f}")
