"""``gradparity train``: one backend, and after each epoch the line that the notebook printed."""

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
    ModelName,
    OptimizerName,
    Seed,
    Set,
)


def train_command(
    model: ModelName = "softmax_regression",
    backend: Annotated[str, typer.Option("--backend", "--backends", help="The one that trains.")] = "numpy",
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
) -> None:
    """Train a model on one backend; print loss and accuracy after each epoch."""
    from gradparity import registry, training
    from gradparity.errors import UsageError
    from gradparity.output import require_writable, write_json

    how = training.Settings(epochs, batch_size, lr, optimizer, options.dtype_of(dtype), seed)
    if len(options.names_of(backend)) > 1:
        raise UsageError(f"train takes one backend, got '{backend}': to train several, run  gradparity compare")
    require_writable(json)
    chosen = registry.backend(backend)
    spec, dataset = options.load_for(model, settings, data, data_dir, seed)

    done = []
    for epoch in training.train(chosen, spec, dataset, how):
        done.append(epoch)
        scored = "" if epoch.accuracy is None else f", Accuracy: {epoch.accuracy:.4f}"
        print(f"Epoch {epoch.number:02d} - Loss: {epoch.loss:.4f}{scored}", flush=True)
    final = training.accuracy_on(chosen, spec, done[-1].params, dataset.test, how.dtype)
    if final is not None:
        print(f"Test Accuracy: {final * 100:.2f}%")
    if json is not None:
        write_json(json, training.to_dict(chosen, spec, dataset, how, done, final))
