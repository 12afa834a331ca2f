"""Training, one epoch at a time: the same initial weights and the same batches on every backend."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np

from gradparity.data import Dataset, with_inputs_for
from gradparity.errors import UsageError
from gradparity.protocol import Backend, Batch, Dtype, Examples, Model, ModelSpec, Params

MONITORED = 10_000
"""After each epoch, loss and accuracy are taken on this many of the first training examples."""


@dataclass(frozen=True)
class Settings:
    """How to train. Raises UsageError for a batch size or epochs below 1, or a learning rate that is not finite."""

    epochs: int = 8
    batch_size: int = 64
    lr: float = 0.1
    optimizer: str = "sgd"
    dtype: Dtype = "float32"
    seed: int = 42
    """One generator draws the initial weights and then each epoch's permutation."""

    def __post_init__(self) -> None:
        """Check every value."""
        for name, value in (("--epochs", self.epochs), ("--batch-size", self.batch_size)):
            if value < 1:
                raise UsageError(f"{name} must be at least 1, got {value}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise UsageError(f"--lr must be finite and above 0, got {self.lr}")
        if self.seed < 0:
            raise UsageError(f"--seed must be at least 0, got {self.seed}")


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch."""

    number: int
    loss: float
    accuracy: float | None
    """None for real targets."""
    seconds: float
    """The training loop alone, without this monitoring."""
    params: dict[str, np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """Return all but the parameters as plain data, for JSON."""
        return {"epoch": self.number, "loss": self.loss, "accuracy": self.accuracy, "seconds": self.seconds}


def train(backend: Backend, spec: ModelSpec, dataset: Dataset, settings: Settings) -> Iterator[Epoch]:
    """Train and yield after each epoch.

    Raises UsageError when the loss is no longer finite, with the epoch and the step.
    """
    dataset = with_inputs_for(dataset, spec)
    rng = np.random.default_rng(settings.seed)
    model = backend.model(spec, settings.dtype)
    step = model.train_step(backend.optimizer(settings.optimizer, lr=settings.lr))
    state = step.start(spec.init(rng))
    loaded = step.load(dataset.train)
    monitored = dataset.train.batch(slice(0, MONITORED), settings.dtype)
    for number in range(1, settings.epochs + 1):
        order = rng.permutation(len(dataset.train))
        began = time.perf_counter()
        state, losses = step.epoch(state, loaded, order, settings.batch_size)
        seconds = time.perf_counter() - began
        _require_finite(losses, number, settings)
        params = {name: backend.to_numpy(p) for name, p in step.params(state).items()}
        loss = float(backend.to_numpy(model.loss(params, monitored)))
        yield Epoch(number, loss, accuracy(backend, model, params, monitored), seconds, params)


def accuracy(backend: Backend, model: Model, params: Params, batch: Batch) -> float | None:
    """Return the share of examples whose largest output is at their label; None for real targets.

    One-hot targets count as labels.
    """
    labels = labels_of(batch.y)
    if labels is None:
        return None
    outputs = backend.to_numpy(model.predict(params, batch.x, batch.extras))
    return float(np.mean(outputs.argmax(axis=1) == labels))


def accuracy_on(backend: Backend, spec: ModelSpec, params: Params, examples: Examples, dtype: Dtype) -> float | None:
    """Return the accuracy on all examples of a test set; None for real targets."""
    return accuracy(backend, backend.model(spec, dtype), params, examples.batch(slice(None), dtype))


def labels_of(y: np.ndarray) -> np.ndarray | None:
    """Return labels (n,) from labels or one-hot targets; None for real targets."""
    if y.dtype.kind != "f":
        return y
    one_hot = bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()) and y.shape[1] > 1
    return y.argmax(axis=1) if one_hot else None


def to_dict(
    backend: Backend,
    spec: ModelSpec,
    dataset: Dataset,
    settings: Settings,
    epochs: Sequence[Epoch],
    final: float | None,
) -> dict[str, Any]:
    """Return the configuration and what training found as plain data, for JSON."""
    return {
        "model": {"name": spec.name, **asdict(spec)} if is_dataclass(spec) else {"name": spec.name},
        "backend": backend.name,
        "data": dataset.name,
        "settings": asdict(settings),
        "epochs": [epoch.to_dict() for epoch in epochs],
        "test_accuracy": final,
    }


def _require_finite(losses: np.ndarray, epoch: int, settings: Settings) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise UsageError(
            f"training diverged: the loss is {losses[bad[0]]} at epoch {epoch}, step {bad[0] + 1} of {len(losses)}: "
            f"lower --lr (it is {settings.lr:g})"
        )
