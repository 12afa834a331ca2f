"""The main job: check every backend, train each on the same batches, time a step of each in turns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from gradparity import registry
from gradparity.data import Dataset, with_inputs_for
from gradparity.drawing.words import listing, scientific
from gradparity.errors import UsageError
from gradparity.parity import Report
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity.parity.training_parity import TrainingParity, require_in_range, training_parity
from gradparity.protocol import Backend, Batch, ModelSpec
from gradparity.subjects.specs import check
from gradparity.subjects.trial import own_row
from gradparity.timing import Timings, time_in_turns
from gradparity.training import Epoch, Settings, accuracy_on, learning_rate, rule_of, train

FOLLOWED = 100
"""Steps of training in which the backends' parameters are compared."""
CHECKED = 61
"""Examples of the data set that the check takes."""
ROUNDS = 11
EPOCH_BATCHES = 3
"""Batches after which an epoch is held against its own steps; the last is smaller."""
STEPS = 10
"""Steps timed as one, so that the clock's own cost does not count."""
TIMED_RATE = 1e-6
"""Of the steps that are timed, so that a rate at which training diverges does not time infinities."""


@dataclass(frozen=True)
class TrainedBackend:
    """One backend's training."""

    backend: str
    epochs: tuple[Epoch, ...]
    test_accuracy: float | None
    first_gradients: dict[str, np.ndarray]
    """The gradient of the first batch at the initial weights."""
    differences: tuple[float, ...]
    """After each epoch, the largest difference of any parameter entry from the first backend's."""


@dataclass(frozen=True)
class Comparison:
    """Everything that ``compare`` found."""

    spec: ModelSpec
    dataset: Dataset
    settings: Settings
    report: Report
    training: TrainingParity | None
    """The first steps of that training; None where there is no second backend to compare with."""
    runs: tuple[TrainedBackend, ...]
    timings: Timings | None
    """Of a training step of the backends that agree; None where none does."""
    epoch_errors: Mapping[str, float] = field(default_factory=dict)
    """Backend -> how far an epoch of it is from its own steps one by one, a relative error in float64."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Backend -> why it could not be trained."""

    @property
    def agrees(self) -> bool:
        """Whether gradients and training agree."""
        return self.report.agrees and self.trains_alike

    @property
    def trains_alike(self) -> bool:
        """Whether the first steps of training agree, and every backend's epoch with its own steps."""
        return (self.training is None or self.training.agrees) and not self._wrong_epochs and not self.failures

    def agrees_for(self, backend: str) -> bool:
        """Whether gradients and training of one backend agree."""
        together = self.training is None or self.training.agrees_for(backend)
        trains = backend not in self._wrong_epochs and backend not in self.failures
        return self.report.agrees_for(backend) and together and trains

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with training, a sentence each."""
        own = (
            f"an epoch of {name} is not its steps one by one: relative error {scientific(self.epoch_errors[name])} "
            f"after {EPOCH_BATCHES} batches, at most {scientific(FLOAT64_LIMIT)} is rounding"
            for name in self._wrong_epochs
        )
        lost = (f"{name} could not be trained: {reason}" for name, reason in self.failures.items())
        return (*(self.training.table.findings if self.training else ()), *own, *lost)

    @property
    def headline(self) -> str:
        """What training comes to; empty where there was nothing to compare."""
        if self.failures:
            return f"Training of {listing(list(self.failures))} failed."
        if self._wrong_epochs:
            return f"Epochs of {listing(self._wrong_epochs)} train otherwise than the steps that they are made of."
        return self.training.table.headline if self.training else ""

    @property
    def _wrong_epochs(self) -> list[str]:
        return [name for name, error in self.epoch_errors.items() if not error <= FLOAT64_LIMIT]


def compare(
    spec: ModelSpec,
    dataset: Dataset,
    settings: Settings,
    backends: Sequence[str] = registry.DEFAULT,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Check, train and time. ``progress`` is told what comes next.

    A backend that breaks costs its own row. Raises UsageError as the parts do, and where no backend is left.
    """
    dataset = with_inputs_for(dataset, spec)
    require_in_range(FOLLOWED, settings.batch_size, settings.optimizer, learning_rate(dataset, settings))
    progress("checking gradients line by line")
    some = dataset.train.batch(slice(0, CHECKED), "float64")
    report = check(spec, backends=list(dict.fromkeys(backends)), batch=some, seed=settings.seed)
    chosen = [registry.backend(name) for name in report.backends]
    failures: dict[str, str] = {}
    errors = {}
    for b in chosen:
        progress(f"holding an epoch of {b.name} against its steps")
        with own_row(failures, b.name):
            errors[b.name] = _epoch_error(b, spec, dataset, settings)
    chosen = _left(chosen, failures)
    progress("following the first steps of training")
    training = _follow(chosen, spec, dataset, settings)
    runs = _train_in_step(chosen, spec, dataset, settings, progress, failures)
    progress("timing a training step in turns")
    found = Comparison(spec, dataset, settings, report, training, runs, None, errors, failures)
    timed = [b for b in _left(chosen, failures) if found.agrees_for(b.name)]
    return replace(found, timings=_time_steps(timed, spec, dataset, settings))


def _left(chosen: list[Backend], failures: Mapping[str, str]) -> list[Backend]:
    """Return the backends that have not failed. Raises UsageError, the first one's reason, where none is left."""
    left = [b for b in chosen if b.name not in failures]
    if not left:
        raise UsageError(next(iter(failures.values())))
    return left


def _train_in_step(
    chosen: list[Backend],
    spec: ModelSpec,
    dataset: Dataset,
    settings: Settings,
    progress: Callable[[str], None],
    failures: dict[str, str],
) -> tuple[TrainedBackend, ...]:
    """Train every backend one epoch, then every backend the next one; those that fail are noted and left out."""
    epochs: dict[str, list[Epoch]] = {b.name: [] for b in chosen}
    tested: dict[str, tuple[float | None, dict[str, np.ndarray]]] = {}
    trainings = {b.name: train(b, spec, dataset, settings) for b in chosen}
    for number in range(1, settings.epochs + 1):
        for b in _left(chosen, failures):
            progress(f"epoch {number} of {settings.epochs} on {b.name}")
            with own_row(failures, b.name, timed=False):
                epochs[b.name].append(next(trainings[b.name]))
    for b in _left(chosen, failures):
        with own_row(failures, b.name):
            accuracy = accuracy_on(b, spec, epochs[b.name][-1].params, dataset.test, settings.dtype)
            tested[b.name] = accuracy, _first_gradients(b, spec, dataset, settings)
    left = _left(chosen, failures)
    reference = epochs[left[0].name]
    return tuple(
        TrainedBackend(
            b.name,
            tuple(epochs[b.name]),
            *tested[b.name],
            tuple(_largest_difference(own, first) for own, first in zip(epochs[b.name], reference, strict=True)),
        )
        for b in left
    )


def _follow(chosen: list[Backend], spec: ModelSpec, dataset: Dataset, settings: Settings) -> TrainingParity | None:
    """Compare the parameters in the first steps of the training that ``_train_in_step`` does."""
    if len(chosen) == 1 and chosen[0].differentiation == "machine":
        return None
    rng = np.random.default_rng(settings.seed)
    params = spec.init(rng)
    return training_parity(
        spec,
        params=params,
        batches=_batches(dataset, settings, rng),
        backends=[b.name for b in chosen],
        steps=FOLLOWED,
        optimizer=settings.optimizer,
        lr=learning_rate(dataset, settings),
        seed=settings.seed,
    )


def _epoch_error(backend: Backend, spec: ModelSpec, dataset: Dataset, settings: Settings) -> float:
    """Return how far an epoch of some batches is from the steps that it is made of, in parameters and losses."""
    rng = np.random.default_rng(settings.seed)
    step = backend.model(spec, "float64").train_step(rule_of(backend, dataset, settings))
    params = spec.init(rng)
    order = rng.permutation(len(dataset.train))[: EPOCH_BATCHES * settings.batch_size - settings.batch_size // 2]
    trained, losses = step.epoch(step.start(params), step.load(dataset.train), order, settings.batch_size)
    state, own_losses = step.start(params), []
    for first in range(0, len(order), settings.batch_size):
        state, loss = step(state, dataset.train.batch(order[first : first + settings.batch_size], "float64"))
        own_losses.append(backend.to_numpy(loss))
    own = {name: backend.to_numpy(p) for name, p in step.params(state).items()}
    found = {name: backend.to_numpy(p) for name, p in step.params(trained).items()}
    return max(
        relative_error(np.asarray(losses), np.asarray(own_losses)),
        *(relative_error(value, own[name]) for name, value in found.items()),
    )


def _batches(dataset: Dataset, settings: Settings, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield the batches of training, epoch after epoch."""
    for _ in range(settings.epochs):
        order = rng.permutation(len(dataset.train))
        for first in range(0, len(order), settings.batch_size):
            yield dataset.train.batch(order[first : first + settings.batch_size], "float64")


def _largest_difference(a: Epoch, b: Epoch) -> float:
    return max(float(np.max(np.abs(a.params[name] - b.params[name]))) for name in a.params)


def _first_gradients(backend: Backend, spec: ModelSpec, dataset: Dataset, settings: Settings) -> dict[str, np.ndarray]:
    params, batch = _first_step(spec, dataset, settings)
    _, gradients = backend.model(spec, settings.dtype).value_and_grad(params, batch)
    return {name: backend.to_numpy(g) for name, g in gradients.items()}


def _first_step(spec: ModelSpec, dataset: Dataset, settings: Settings) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(settings.seed)
    params = spec.init(rng)
    first = rng.permutation(len(dataset.train))[: settings.batch_size]
    return params, dataset.train.batch(first, settings.dtype)


def _time_steps(timed: list[Backend], spec: ModelSpec, dataset: Dataset, settings: Settings) -> Timings | None:
    if not timed:
        return None
    params, batch = _first_step(spec, dataset, settings)

    def stepping(backend: Backend) -> Callable[[], Any]:
        rule = rule_of(backend, dataset, replace(settings, lr=TIMED_RATE))
        step = backend.model(spec, settings.dtype).train_step(rule)
        state = step.start(params)
        native = batch.map(backend.from_numpy)

        def call() -> None:
            nonlocal state
            for _ in range(STEPS):
                state, loss = step(state, native)
            backend.wait((state, loss))

        return call

    # A step this small gains nothing from threads, and where other work has the cores, threads that wait for each
    # other cost a hundred times the step. JAX takes no limit, and computes a small step on one thread by itself.
    with threadpool_limits(1):
        calls = {b.name: stepping(b) for b in timed}
        return time_in_turns(calls, stepping(timed[0]), ROUNDS, settings.seed)
