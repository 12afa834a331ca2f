"""Training, one epoch at a time: the same initial weights and the same batches on every backend."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from gradparity import checkpoints, optimizers
from gradparity.checkpoints import Checkpoint
from gradparity.data import Dataset, with_inputs_for
from gradparity.errors import NotOfferedError, UsageError, quoted
from gradparity.inputs import require_batch, require_whole
from gradparity.protocol import Backend, Batch, Dtype, Examples, Model, ModelSpec, Params, TrainStep
from gradparity.runtime import Resumes, UpdateRule
from gradparity.schedules import LearningRate, scheduled
from gradparity.spec_traits import DrawsExtras, KeepsStatistics, TellsOneClass

MONITORED = 10_000
"""After each epoch, loss and accuracy are taken on this many of the first training examples; of a text, characters."""
SAMPLED = 200
"""Characters that a model of next tokens writes after training."""


@dataclass(frozen=True)
class Settings:
    """How to train. Raises UsageError for a batch size or epochs below 1, or a learning rate that is not finite."""

    epochs: int = 8
    batch_size: int = 64
    lr: float = 0.1
    optimizer: str = "sgd"
    """A rule's name, and its hyperparameters after commas: "adamw,weight_decay=0.1"."""
    dtype: Dtype = "float32"
    seed: int = 42
    """One generator draws the initial weights and then each epoch's permutation."""
    schedule: str = "constant"
    """How the learning rate changes: "step,every=100", "cosine,warmup=100"."""

    def __post_init__(self) -> None:
        """Check every value."""
        for name, value in (("--epochs", self.epochs), ("--batch-size", self.batch_size)):
            require_whole(name, value, 1)
        if not isinstance(self.lr, int | float) or not (math.isfinite(self.lr) and self.lr > 0):
            raise UsageError(f"--lr must be finite and above 0, got {quoted(self.lr)}")
        require_whole("--seed", self.seed, 0)


class EpochFile(TypedDict):
    """An epoch as JSON has it."""

    epoch: int
    loss: float
    accuracy: float | None
    """None for real targets."""
    seconds: float


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
    steps: int
    """Steps that were taken so far."""
    remembered: Callable[[], dict[str, np.ndarray]]
    """What the optimiser remembers, for a checkpoint: to be asked for before the next epoch."""

    def to_dict(self) -> EpochFile:
        """Return all but the arrays as plain data, for JSON."""
        return EpochFile(epoch=self.number, loss=self.loss, accuracy=self.accuracy, seconds=self.seconds)


def train(
    backend: Backend, spec: ModelSpec, dataset: Dataset, settings: Settings, resumed: Checkpoint | None = None
) -> Iterator[Epoch]:
    """Train and yield after each epoch; go on from a checkpoint where there is one, to the same bits.

    Raises UsageError when the loss is no longer finite, with the epoch and the step.
    """
    dataset = with_inputs_for(dataset, spec)
    require_batch(spec, dataset.train.batch(slice(0, 1), "float64"))
    if not isinstance(backend, Backend):
        raise UsageError(f"backend must be one, got {quoted(backend)}: such as gradparity.backend('numpy')")
    rng = np.random.default_rng(settings.seed)
    model = backend.model(spec, settings.dtype)
    step = model.train_step(rule_of(backend, dataset, settings))
    params, first = spec.init(rng), 1
    if resumed is None:
        state = step.start(params)
    else:
        state, first = _resume(backend, step, resumed), resumed.epoch + 1
    loaded = step.load(dataset.train)
    characters = dataset.train.x.shape[1] if dataset.vocabulary else 1
    monitored = dataset.train.batch(slice(0, -(-MONITORED // characters)), settings.dtype)
    for number in range(1, settings.epochs + 1):
        order = rng.permutation(len(dataset.train))
        extras = spec.draw_extras(rng, len(dataset.train)) if isinstance(spec, DrawsExtras) else {}
        if number < first:
            continue
        if extras:
            loaded = step.load(replace(dataset.train, extras=extras))
        began = time.perf_counter()
        state, losses = step.epoch(state, loaded, order, settings.batch_size)
        seconds = time.perf_counter() - began
        _require_finite(losses, number, settings)
        params = _to_numpy(backend, step.params(state))
        loss = float(backend.to_numpy(model.loss(params, monitored)))
        yield Epoch(
            number,
            loss,
            accuracy(backend, model, params, monitored),
            seconds,
            params,
            number * steps_per_epoch(dataset, settings),
            partial(_remembered, backend, step, state),
        )


def steps_per_epoch(dataset: Dataset, settings: Settings) -> int:
    """Return the number of batches; the last may be smaller."""
    return math.ceil(len(dataset.train) / settings.batch_size)


def rule_of(backend: Backend, dataset: Dataset, settings: Settings) -> Any:
    """Return the optimiser that the settings name. Raises UsageError for words that name none."""
    name, hyperparameters = optimizers.worded(settings.optimizer)
    return backend.optimizer(name, lr=learning_rate(dataset, settings), **hyperparameters)


def learning_rate(dataset: Dataset, settings: Settings) -> LearningRate:
    """Return the rate, which may be a schedule over the whole training. Raises UsageError for words that name none."""
    return scheduled(settings.schedule, settings.lr, settings.epochs * steps_per_epoch(dataset, settings))


def resume(path: Path, backend: Backend, spec: ModelSpec, dataset: Dataset, settings: Settings) -> Checkpoint:
    """Read a checkpoint that this training goes on from, whichever backend wrote it.

    Raises UsageError as ``checkpoints.read`` does, and where nothing is left to train.
    """
    statistics = spec.statistics if isinstance(spec, KeepsStatistics) else {}
    shapes = {**spec.param_shapes, **{name: value.shape for name, value in statistics.items()}}
    rule = rule_of(backend, dataset, settings)
    for kept in rule.memory if isinstance(rule, UpdateRule) else ():
        shapes |= {f"{checkpoints.REMEMBERED}{kept}.{name}": shape for name, shape in spec.param_shapes.items()}
    found = checkpoints.read(path, identity(spec, dataset, settings), shapes)
    if found.epoch >= settings.epochs:
        raise UsageError(f"checkpoint '{path}' has all of its {found.epoch} epochs: ask for more with --epochs")
    return found


def identity(spec: ModelSpec, dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """Return what two runs must share for one to go on from the other, as plain data."""
    shared = {name: value for name, value in asdict(settings).items() if name != "epochs"}
    # Its rates depend on how long training takes.
    if settings.schedule.startswith("cosine"):
        shared["epochs"] = settings.epochs
    data = {"data": dataset.name, "examples": len(dataset.train)}
    plain: dict[str, Any] = json.loads(json.dumps({"model": _described(spec), **data, **shared}))
    return plain


def _resume(backend: Backend, step: TrainStep, checkpoint: Checkpoint) -> Any:
    if not isinstance(step, Resumes):
        raise UsageError(f"backend '{backend.name}' cannot resume: its training step tells no optimiser's memory")
    return step.start(checkpoint.params, checkpoint.remembered, checkpoint.steps)


def _remembered(backend: Backend, step: TrainStep, state: Any) -> dict[str, np.ndarray]:
    if not isinstance(step, Resumes):
        raise UsageError(f"backend '{backend.name}' writes no checkpoint: its training step tells no memory")
    return _to_numpy(backend, step.remembered(state))


def _to_numpy(backend: Backend, named: Params) -> dict[str, np.ndarray]:
    return {name: backend.to_numpy(value) for name, value in named.items()}


def accuracy(backend: Backend, model: Model, params: Params, batch: Batch) -> float | None:
    """Return the share of labels, of an example or of each of its tokens, at the largest output.

    None for real targets, and where the model has no predict. One-hot targets count as labels. Where the model tells
    one class from the others, its logit's sign is what counts.
    """
    labels = labels_of(batch.y)
    if labels is None:
        return None
    try:
        outputs = backend.to_numpy(model.predict(params, batch.x, batch.extras))
    except NotOfferedError:  # a user's model, and a backend's that has only a loss
        return None
    if isinstance(model.spec, TellsOneClass):
        return float(np.mean((outputs[:, 0] > 0) == (labels == model.spec.positive)))
    return float(np.mean(outputs.argmax(axis=-1) == labels))


def accuracy_on(backend: Backend, spec: ModelSpec, params: Params, examples: Examples, dtype: Dtype) -> float | None:
    """Return the accuracy on all examples of a test set; None for real targets."""
    return accuracy(backend, backend.model(spec, dtype), params, examples.batch(slice(None), dtype))


def sample(backend: Backend, spec: ModelSpec, params: Params, dataset: Dataset, settings: Settings) -> str:
    """Let a model of next tokens write on from the first test window, each character drawn from its softmax."""
    model = backend.model(spec, settings.dtype)
    rng = np.random.default_rng(settings.seed)
    tokens = dataset.test.x[0].tolist()
    window = len(tokens)
    for _ in range(SAMPLED):
        logits = backend.to_numpy(model.predict(params, np.array([tokens[-window:]])))[0, -1]
        # The place of the largest sum with Gumbel noise is a draw from softmax.
        tokens.append(int(np.argmax(logits + rng.gumbel(size=logits.shape))))
    return "".join(dataset.vocabulary[token] for token in tokens[window:])


def labels_of(y: np.ndarray) -> np.ndarray | None:
    """Return labels (n,) from labels or one-hot targets; None for real targets."""
    if y.dtype.kind != "f":
        return y
    one_hot = bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()) and y.shape[1] > 1
    return y.argmax(axis=1) if one_hot else None


class TrainingFile(TypedDict):
    """What ``gradparity train --json`` writes."""

    format: Literal["gradparity-training/1"]
    model: dict[str, Any]
    """Its name, and its settings."""
    backend: str
    data: str
    settings: Settings
    epochs: list[EpochFile]
    test_accuracy: float | None
    """None for real targets."""


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
        "format": "gradparity-training/1",
        "model": _described(spec),
        "backend": backend.name,
        "data": dataset.name,
        "settings": asdict(settings),
        "epochs": [epoch.to_dict() for epoch in epochs],
        "test_accuracy": final,
    }


def _described(spec: ModelSpec) -> dict[str, Any]:
    """Return a model's name and what it is made with, but for a user's own functions."""
    made_with: dict[str, Any] = asdict(spec) if is_dataclass(spec) else {}
    return {"name": spec.name, **{name: value for name, value in made_with.items() if _is_plain(value)}}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def _require_finite(losses: np.ndarray, epoch: int, settings: Settings) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise UsageError(
            f"training diverged: the loss is {losses[bad[0]]} at epoch {epoch}, step {bad[0] + 1} of {len(losses)}: "
            f"lower --lr (it is {settings.lr:g})"
        )
