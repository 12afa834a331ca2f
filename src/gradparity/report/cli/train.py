"""``gradparity train``: one backend, and after each epoch the line that the notebook printed."""

from pathlib import Path
from typing import Annotated

import typer

from gradparity.report.cli import options
from gradparity.report.cli.options import (
    BatchSize,
    Data,
    DataDir,
    DtypeName,
    EpochCount,
    JsonFile,
    LearningRate,
    ModelOrFile,
    OptimizerName,
    Quiet,
    ScheduleName,
    Seed,
    Set,
    Verbose,
)


def train_command(
    model: ModelOrFile = "softmax_regression",
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            "--backends",
            help="The one that trains.",
            autocompletion=options.backend_names,
            rich_help_panel=options.CHOSEN,
        ),
    ] = "numpy",
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
    checkpoint: Annotated[
        Path | None, options.output("--checkpoint", "Write a safetensors file after each epoch.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="FILE",
            help="Go on from a checkpoint, of whichever backend.",
            rich_help_panel=options.TRAINED,
        ),
    ] = None,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Train a model on one backend; print loss and accuracy after each epoch."""
    from gradparity import checkpoints, registry, training
    from gradparity.checkpoints import Checkpoint
    from gradparity.drawing.terminal import progress
    from gradparity.errors import UsageError
    from gradparity.output import require_writable, write_json
    from gradparity.subjects.model_file import file_of

    how = training.Settings(epochs, batch_size, lr, optimizer, options.dtype_of(dtype), seed, schedule)
    if len(options.names_of(backend)) > 1:
        raise UsageError(f"train takes one backend, got '{backend}': to train several, run  gradparity compare")
    require_writable(json, checkpoint, inputs=(data, file_of(model)))
    require_writable(json, inputs=(resume,))  # a checkpoint may take the place of the one it goes on from
    chosen = registry.backend(backend)
    spec, dataset = options.load_for(model, settings, data, data_dir, seed)
    resumed = None if resume is None else training.resume(resume, chosen, spec, dataset, how)

    done = []
    with progress(counted=True, beside_output=True) as display:
        bar = display.add_task("first epoch", total=epochs, completed=resumed.epoch if resumed else 0)
        for epoch in training.train(chosen, spec, dataset, how, resumed):
            done.append(epoch)
            scored = "" if epoch.accuracy is None else f", Accuracy: {epoch.accuracy:.4f}"
            print(f"Epoch {epoch.number:02d} - Loss: {epoch.loss:.4f}{scored}", flush=True)
            speed = len(dataset.train) / epoch.seconds
            display.update(bar, advance=1, description=f"loss {epoch.loss:.4f}, {speed:,.0f} examples/s")
            if checkpoint is not None:
                kept = Checkpoint(epoch.params, epoch.remembered(), epoch.number, epoch.steps)
                checkpoints.write(checkpoint, kept, training.identity(spec, dataset, how))
    final = training.accuracy_on(chosen, spec, done[-1].params, dataset.test, how.dtype)
    if final is not None:
        print(f"Test Accuracy: {final * 100:.2f}%")
    if dataset.vocabulary:
        print(f"Sample: {training.sample(chosen, spec, done[-1].params, dataset, how)}")
    if json is not None:
        write_json(json, training.to_dict(chosen, spec, dataset, how, done, final))
