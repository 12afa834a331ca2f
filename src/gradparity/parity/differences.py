"""The witness that uses no autodiff: how the loss itself changes along random directions.

A direction is a change v of one name: of a parameter, or of an intermediate as it is written to ``c``. The loss is
then a function of one variable, t ↦ L(name + t·v), whose derivative at 0 a right gradient g predicts: g·v. It is
measured in one of two ways, and how exactly is measured as well:

* **complex step**, Im L(name + ih·v) / h with a tiny h: no difference is taken, so nothing cancels, and the result
  is exact to rounding. It needs an analytic loss, and code that takes complex numbers. Sources: W. Squire & G. Trapp,
  Using complex variables to estimate derivatives of real functions, SIAM Rev. 40 (1998); J. Martins, P. Sturdza &
  J. Alonso, The complex-step derivative approximation, ACM TOMS 29 (2003).
* **central differences**, extrapolated, everywhere else; and always, to see whether the complex step is right.

Besides, the remainder |L(name + h·v) − L(name) − h g·v| tells a right gradient from a wrong one by its rate alone:
it falls with h² if g is right and with h if it is not (the Taylor test).

What this cannot see is a wrong forward: it is the forward that it measures.

Three directions of every name cost hundreds of forward passes; of a large array one is taken. For a large model all
parameters are changed at once,
along one direction, which costs some dozens.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.kinks import Kinks
from gradparity.parity.norms import norm, usual_size
from gradparity.parity.perturbed import Direction, Forward, ForwardPass, Loss
from gradparity.parity.probes import probed
from gradparity.protocol import Array, Batch, Trace

Method: TypeAlias = Literal["complex step", "central differences"]

DIRECTIONS = 3
"""Random directions per name. A gradient that is wrong by ε of its norm is wrong by about ε times a standard normal
number along each; to stay below the limit along all three has a probability of about (0.8 limit / ε)³."""
LARGE_ARRAY = 100_000
"""Entries of a name from which on one direction has to do: each costs dozens of forward passes."""
REDRAWS = 4
"""Directions of one name that may meet a kink before the name is given up."""
ROUNDING = 16
"""Rounding adds up inside the forward: the noise of the loss, times this, is the error of a complex step."""
EPS = float(np.finfo(np.float64).eps)
CONTRADICTS = 1e-6
"""A machine that is so far from what the loss itself says derives something else."""


ALL = "all parameters"
"""The name of the parameters as one vector, in the order in which the model names them."""


@dataclass(frozen=True, eq=False)
class LossMeasurement:
    """What the loss itself says about the gradient of one name."""

    name: str
    method: Method
    directions: tuple[Direction, ...]
    """Empty where so many met a kink that the loss has no derivative here, and differences say nothing."""
    redrawn: int
    """Directions that met a kink and were drawn again."""
    noise: float
    """The rounding error of the loss."""
    single: bool = False
    """Whether the loss computes in float32 inside."""


@dataclass(frozen=True)
class Agreement:
    """One gradient beside a measurement."""

    name: str
    method: Method
    by_differences: tuple[float, ...]
    """The directional derivatives as measured."""
    by_gradient: tuple[float, ...]
    """g·v of the same directions."""
    error: float
    """‖by_gradient − by_differences‖₂ / ‖by_differences‖₂: an estimate of the gradient's norm-wise relative error.
    Where what was measured is zero within its accuracy, it is relative to ‖by_gradient‖₂. Infinite for NaN, infinity
    and a wrong shape."""
    limit: float
    """The largest error that the accuracy of the measurement and rounding explain: no smaller bug can be seen."""
    slope: float | None
    """The rate of the Taylor remainder: 2 if the gradient is right, 1 if not; None where rounding hides it."""
    fitted: tuple[float, float] | None
    """The smallest and the largest step of that fit."""
    redrawn: int

    @property
    def agrees(self) -> bool:
        """Whether the error is within the limit."""
        return self.error <= self.limit


class ByDifferences(NamedTuple):
    """What the loss tells where no machine differentiates."""

    trace: Trace
    """The forward's own values, and the gradients that were measured entry by entry, each with its accuracy."""
    method: str
    measured: dict[str, LossMeasurement]
    """What is too large for that, along random directions; and without a direction, what is at a kink."""


def witness(
    forward: Forward,
    params: Mapping[str, Float[np.ndarray, "..."]],
    batch: Batch,
    rng: np.random.Generator,
    kinks: Kinks,
) -> ByDifferences:
    """Measure ∂L/∂(name) of every parameter, and of every intermediate of which a change reaches the forward pass.

    ``params`` and ``batch`` are NumPy, float64.
    """
    loss = Loss(forward, params, batch, kinks)
    here = loss.run({})
    movable = loss.movable(here)
    found = probed(loss.beside(here), movable, rng)
    trace = Trace(
        {name: np.asarray(value) for name, value in here.values.items()},
        {name: each.gradient for name, each in found.gradients.items()} | {"loss": np.ones(())},
        {name: each.accuracy for name, each in found.gradients.items()},
    )
    methods = {"complex steps" if each.exactly else "central differences" for each in found.gradients.values()}
    along = measure(forward, params, batch, rng, kinks, found.too_large) if found.too_large else {}
    at_kinks = {name: LossMeasurement(name, "central differences", (), 0, 0.0) for name in found.at_kinks}
    return ByDifferences(trace, " and ".join(sorted(methods)), {**along, **at_kinks})


def measure(
    forward: Forward,
    params: Mapping[str, Float[np.ndarray, "..."]],
    batch: Batch,
    rng: np.random.Generator,
    kinks: Kinks,
    names: Collection[str] | None = None,
) -> dict[str, LossMeasurement]:
    """Measure the loss along random directions of every parameter, and of every real intermediate but the loss.

    With ``names``, of these alone.

    ``params`` and ``batch`` are NumPy, float64. An intermediate counts only if a change of it reaches the
    forward pass. Complex steps are taken where ``kinks`` is empty and they agree with
    central differences along the first direction of the name; they do not where the forward refuses complex numbers or
    drops their imaginary part somewhere.
    """
    loss = Loss(forward, params, batch, kinks)
    here = loss.run({})
    everywhere = {name: _draw(rng, p) for name, p in params.items()}

    def along(t: float) -> float:
        return float(loss.run({name: t * v for name, v in everywhere.items()}).loss)

    single = derivative.single_noise(along)
    noise = single or derivative.noise(along)
    asked = {name: value for name, value in loss.movable(here).items() if names is None or name in names}
    measured = {name: _measure(loss, name, value, here, noise, rng) for name, value in asked.items()}
    return {name: replace(m, single=bool(single)) for name, m in measured.items()}


def measure_jointly(
    forward: Forward,
    params: Mapping[str, Float[np.ndarray, "..."]],
    batch: Batch,
    rng: np.random.Generator,
    kinks: Kinks,
) -> dict[str, LossMeasurement]:
    """Measure the loss along one random direction of all parameters at once, by central differences."""

    def of_vector(p: Mapping[str, Array], batch: Batch, c: Any) -> None:
        forward(_split(p[ALL], params), batch, c)

    vector = flat(params, params)
    loss = Loss(of_vector, {ALL: vector}, batch, kinks)
    here = loss.run({})
    direction = flat({name: _draw(rng, p) for name, p in params.items()}, params)
    noise = derivative.noise(lambda t: float(loss.run({ALL: t * direction}).loss))
    found = loss.along(ALL, direction, here, noise)
    return {ALL: LossMeasurement(ALL, "central differences", () if found is None else (found,), 0, noise)}


def flat(arrays: Mapping[str, Float[np.ndarray, "..."]], names: Iterable[str]) -> Float[np.ndarray, " size"]:
    """Return the arrays of these names as one vector."""
    return np.concatenate([arrays[name].ravel() for name in names])


def _split(vector: Float[np.ndarray, " size"], like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    ends = np.cumsum([array.size for array in like.values()])
    parts = np.split(vector, ends[:-1])
    return {name: part.reshape(array.shape) for (name, array), part in zip(like.items(), parts, strict=True)}


def agreement_with(measured: LossMeasurement, gradient: Float[np.ndarray, "..."]) -> Agreement:
    """Judge a float64 gradient of the same name by a measurement that has at least one direction."""
    found = measured.directions
    seen = np.array([each.derivative for each in found])
    accuracy = norm(np.array([each.accuracy for each in found]))
    right_shape = gradient.shape == found[0].v.shape
    predicted = np.array([float(np.vdot(gradient, each.v)) if right_shape else np.nan for each in found])
    if np.isfinite(predicted).all():
        scale = norm(seen) if norm(seen) > accuracy else norm(predicted)
        error, limit = norm(predicted - seen) / (scale or 1.0), FLOAT64_LIMIT + accuracy / (scale or 1.0)
        fit = _remainder_rate(measured, predicted)
    else:
        error, limit, fit = np.inf, FLOAT64_LIMIT, None
    slope, fitted = fit or (None, None)
    return Agreement(
        measured.name,
        measured.method,
        tuple(seen.tolist()),
        tuple(predicted.tolist()),
        error,
        limit,
        slope,
        fitted,
        measured.redrawn,
    )


def contradiction(gradients: Mapping[str, np.ndarray], measured: Mapping[str, LossMeasurement]) -> str:
    """Say where a machine does not tell how the loss changes; empty where it does, or where nothing was measured."""
    for name, gradient in gradients.items():
        if name not in measured or not measured[name].directions:
            continue
        found = agreement_with(measured[name], gradient)
        if found.error > max(found.limit, CONTRADICTS):
            return (
                f"its gradient of {name} is not how the loss changes (relative error {found.error:.1e}): where the "
                "code makes a Python number of an array, as float(x) and x.item() do, it takes that for constant"
            )
    return ""


def _measure(
    loss: Loss, name: str, value: Float[np.ndarray, "..."], here: ForwardPass, noise: float, rng: np.random.Generator
) -> LossMeasurement:
    wanted = DIRECTIONS if value.size < LARGE_ARRAY else 1
    found: list[Direction] = []
    redrawn = 0
    while len(found) < wanted and redrawn <= REDRAWS:
        direction = loss.along(name, _draw(rng, value), here, noise)
        if direction is None:
            redrawn += 1
            continue
        found.append(direction)
        if len(found) == 1 and not loss.kinks:
            exact = _by_complex_step(loss, name, direction, [_draw(rng, value) for _ in range(wanted - 1)], noise)
            if exact:
                return LossMeasurement(name, "complex step", exact, redrawn, noise)
    # Where most directions meet a kink, the rest may only look smooth.
    return LossMeasurement(name, "central differences", tuple(found) if len(found) == wanted else (), redrawn, noise)


def _draw(rng: np.random.Generator, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """A normal direction, as large as the value (root mean square), or of size 1 where that is zero."""
    return np.asarray(rng.normal(size=value.shape) * usual_size(value))


def _by_complex_step(
    loss: Loss, name: str, first: Direction, others: Iterable[Float[np.ndarray, "..."]], noise: float
) -> tuple[Direction, ...]:
    """Measure the first direction and others by complex steps; nothing where they fail, or the first contradicts."""
    exact: list[Direction] = []
    for each in (first, *(Direction(v, 0.0, np.inf, np.empty(0), np.empty(0)) for v in others)):
        slope = loss.complex_step(name, each.v)
        if slope is None or not abs(slope - each.derivative) <= each.accuracy:
            return ()
        exact.append(replace(each, derivative=slope, accuracy=ROUNDING * (noise + EPS * abs(slope))))
    return tuple(exact)


def _remainder_rate(
    measured: LossMeasurement, predicted: Float[np.ndarray, " directions"]
) -> tuple[float, tuple[float, float]] | None:
    """Fit ‖remainders of all directions‖₂ over the steps that all have: one flat direction must not decide.

    Those count that were measured step by step.
    """
    stepped = [(each, slope) for each, slope in zip(measured.directions, predicted, strict=True) if each.steps.size]
    common = [h for h in measured.directions[0].steps if all(h in each.steps for each, _ in stepped)]
    remainders = [each.change[np.isin(each.steps, common)] - np.array(common) * slope for each, slope in stepped]
    return derivative.rate(np.array(common), np.array([norm(r) for r in np.transpose(remainders)]), measured.noise)
