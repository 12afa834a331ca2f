"""``gradparity compare``, the main job: check every backend, train each on the same batches, time them."""

from pathlib import Path
from typing import Annotated

import typer

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
    ModelName,
    OptimizerName,
    Seed,
    Set,
)


def compare(
    model: ModelName = "softmax_regression",
    backends: Backends = None,
    settings: Set = None,
    data: Data = "digits",
    data_dir: DataDir = None,
    epochs: EpochCount = 8,
    batch_size: BatchSize = 64,
    lr: LearningRate = 0.1,
    optimizer: OptimizerName = "sgd",
    dtype: DtypeName = "float32",
    seed: Seed = 42,
    json: JsonFile = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write one HTML page with plots.")
    ] = None,
) -> None:
    """Check, train and time every backend on the same model and data; exit 1 if gradients disagree."""
    from gradparity import comparison
    from gradparity.output import require_writable, write_json, write_text
    from gradparity.registry import installed
    from gradparity.training import Settings

    how = Settings(epochs, batch_size, lr, optimizer, options.dtype_of(dtype), seed)
    names = installed() if backends is None else options.names_of(backends)
    for path in (json, report):
        require_writable(path)
    spec, dataset = options.load_for(model, settings, data, data_dir, seed)

    from gradparity.report.cli.tables import print_comparison, print_report, progress

    with progress() as display:
        task = display.add_task("starting", total=None)
        result = comparison.compare(
            spec, dataset, how, names, progress=lambda now: display.update(task, description=now)
        )
    print_report(result.report)
    print()
    print_comparison(result)
    if json is not None:
        write_json(json, comparison.to_dict(result))
    if report is not None:
        from gradparity.report.page import comparison_page

        write_text(report, comparison_page(result))
        print(f"The page with the plots is {report}")
    raise typer.Exit(0 if result.agrees else 1)
