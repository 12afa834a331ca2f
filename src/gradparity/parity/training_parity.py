"""Training parity: the same steps from the same weights, and how far each backend is from the float64 truth.

A right backend drifts too, for every step rounds, and training magnifies what was rounded: ``gradparity.parity.drift``
measures on the problem itself how much. What exceeds it is a mistake.

Rounding and mistakes separate early and merge late. On a convex problem gradient descent forgets its past: with a
learning rate that is 1% wrong it comes to the same minimum. On a chaotic one rounding alone drives all runs apart as
far as they can get, and the budget says so. Hence a verdict after 10 steps, where a mistake shows at its full size,
and later ones, where small mistakes have added up.

An optimiser that does not see a mistake hides it: Adam divides a gradient by its own size, so a constant factor in a
gradient moves the parameters only by way of ε. That is enough to be seen in float64, and not in float32.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, cycle, islice, product
from math import ceil, isfinite

import numpy as np
from threadpoolctl import threadpool_limits

from gradparity import optimizers, registry
from gradparity.errors import UsageError
from gradparity.parity.drift import Course, Distances, Run, budget, follow, ratio, start, start_nearby
from gradparity.parity.problem import LANES, draw_params, representable
from gradparity.parity.training_rows import TrainingParity, TrainingRow
from gradparity.protocol import Backend, Batch, Dtype, ModelSpec, Params, TrainStep
from gradparity.schedules import SCHEDULES, LearningRate, highest

__all__ = ["TrainingParity", "TrainingRow", "training_parity"]

DRAWN = 7
"""Batches that are drawn, and taken in turn. The last is half as large: a mistake in a smaller batch shows early."""


def training_parity(
    spec: ModelSpec,
    *,
    params: Params | None = None,
    batches: Iterable[Batch] | None = None,
    backends: Sequence[str] = registry.DEFAULT,
    steps: int = 100,
    optimizer: str = "sgd",
    lr: LearningRate = 0.1,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] = LANES,
) -> TrainingParity:
    """Take the same steps with every backend in every lane, and compare the parameters after 10, 100, … steps.

    Without ``params`` and ``batches`` they are drawn as in a check, n examples in a batch; of given batches, each
    step takes the next. The truth is the float64 run of the first backend that differentiates by machine; where none
    is chosen, of an installed one. Rounding's share is measured by that backend and by another, and the smaller counts:
    so no backend's own mistake makes room for itself.

    ``optimizer`` may name hyperparameters: "adamw,weight_decay=0.1"; ``lr`` may be a schedule.

    Raises UsageError for settings out of range, where the truth diverges or leaves a lane's range, and without two
    backends that can train.
    """
    require_in_range(steps, n, optimizer, lr)
    rule, hyperparameters = optimizers.worded(optimizer)
    rng = np.random.default_rng(seed)
    params = {k: representable(p) for k, p in (draw_params(spec, rng) if params is None else params).items()}
    given = islice(_draw(spec, rng, n) if batches is None else batches, steps)
    taken = (batch.map(representable) for batch in given)
    first = next(taken)

    @cache
    def step_of(name: str, lane: Dtype) -> TrainStep:
        return every[name].model(spec, lane).train_step(every[name].optimizer(rule, lr=lr, **hyperparameters))

    def begin(name: str, lane: Dtype) -> Run:
        return start(every[name], step_of(name, lane), params)

    def begin_nearby(name: str, lane: Dtype) -> list[Run]:
        return start_nearby(every[name], step_of(name, lane), params, lane, seed)

    chosen = [registry.backend(name) for name in dict.fromkeys(backends)]
    every = {b.name: b for b in [*registry.witnesses_among(chosen), *chosen]}
    tried = {name: [_why_not(step_of(name, lane), params, first) for lane in ("float64", *lanes)] for name in every}
    untrained = {name: next(filter(None, reasons)) for name, reasons in tried.items() if any(reasons)}
    measuring = _measuring([b for b in every.values() if b.name not in untrained], untrained)
    truth = measuring[0]
    subjects = tuple(b.name for b in chosen if b.name not in untrained)

    runs = {(name, lane, 0): begin(name, lane) for name, lane in product(subjects, lanes)}
    for name, lane in product(measuring, lanes):
        runs |= {(name, lane, i): run for i, run in enumerate(begin_nearby(name, lane), 1)}
    # On arrays as small as a check's, threads that wait for each other cost ten times the step.
    with threadpool_limits(1):
        true = start(every[truth], step_of(truth, "float64"), params, lanes)
        course, apart = follow(params, true, runs, chain([first], taken))

    def budget_by(name: str, lane: Dtype) -> Distances:
        spread = [distances for (by, of, i), distances in apart.items() if (by, of) == (name, lane) and i > 0]
        return budget(course, spread, lane, optimizers.named(rule, lr=lr, **hyperparameters))

    budgets = {lane: np.minimum(*(budget_by(name, lane) for name in measuring)) for lane in lanes}
    judged = [(name, lane) for lane in lanes for name in subjects if (name, lane) != (truth, "float64")]
    return TrainingParity(
        model=spec.name,
        truth=truth,
        backends=subjects,
        untrained={name: why for name, why in untrained.items() if name in backends},
        steps=len(course.lengths),
        optimizer=optimizer,
        lr=highest(lr),
        seed=seed,
        rows=tuple(
            _row(name, lane, step, course, apart[name, lane, 0], budgets[lane])
            for name, lane in judged
            for step in _judged_steps(len(course.lengths))
        ),
        distances={
            lane: {name: course.relative(apart[name, lane, 0]) for name, of in judged if of == lane} for lane in lanes
        },
        budgets={lane: course.relative(own) for lane, own in budgets.items()},
    )


def _why_not(step: TrainStep, params: Params, batch: Batch) -> str:
    """Say why a backend cannot train this model, or nothing where it can: by trying it."""
    try:
        with np.errstate(all="ignore"):
            step(step.start(params), batch)
    except Exception as error:  # a user's own code: what a compiler makes of it shows when it is compiled
        reason = str(error).strip().partition("\n")[0]
        return reason if isinstance(error, UsageError) else f"{type(error).__name__}: {reason}"
    return ""


def _measuring(trainable: Sequence[Backend], untrained: Mapping[str, str]) -> tuple[str, str]:
    """Name the truth's backend, and the other that measures rounding's share."""
    machines = [b for b in trainable if b.differentiation == "machine"]
    others = [b for b in trainable if b not in machines[:1]]
    if machines and others:
        return machines[0].name, others[0].name
    reasons = [f"{name} cannot train this model, {why}" for name, why in untrained.items()]
    raise UsageError(
        f"training parity needs two backends, one that differentiates by machine, "
        f"got {', '.join(b.name for b in trainable) or 'none'}"
        + (f" ({'; '.join(reasons)})" if reasons else "")
        + ": add one, such as numpy, jax or torch"
    )


def _row(backend: str, lane: Dtype, step: int, course: Course, own: Distances, budgets: Distances) -> TrainingRow:
    distance, limit, scale = own[step - 1], budgets[step - 1], course.scales[step]
    worst = int(np.argmax(ratio(distance, limit)))
    return TrainingRow(
        backend,
        lane,
        step,
        course.names[worst],
        float(ratio(distance, scale)[worst]),
        float(ratio(limit, scale)[worst]),
    )


def _judged_steps(steps: int) -> list[int]:
    """Return 10, 100, … up to ``steps``, and ``steps`` itself."""
    powers = (10**k for k in range(1, len(str(steps))))
    return sorted({*powers, steps})


def _draw(spec: ModelSpec, rng: np.random.Generator, n: int) -> Iterator[Batch]:
    sizes = [n] * (DRAWN - 1) + [ceil(n / 2)]
    return cycle([spec.example_batch(rng, size) for size in sizes])


def require_in_range(steps: int, n: int, optimizer: str, lr: LearningRate) -> None:
    """Raise UsageError for settings that nothing can be trained with."""
    for name, value in (("--steps", steps), ("--batch-size", n)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}")
    if not isinstance(lr, SCHEDULES) and not (isfinite(lr) and lr > 0):
        raise UsageError(f"--lr must be finite and above 0, got {lr}")
    rule, hyperparameters = optimizers.worded(optimizer)
    optimizers.named(rule, lr=lr, **hyperparameters)
