"""Where along a size a training step stops being bound by its calls and starts being bound by its arithmetic.

Definition: a step that does F floating-point operations takes t(F) = t₀ + F / r seconds, with t₀ what its calls cost
whatever they compute (dispatch), and r the rate at which it computes. The crossover is where the two parts are equal,
F* = t₀ r: the step takes twice its fixed cost. Below it the step is dispatch-bound, above it compute-bound.

t₀ and r are those with the least squared error of log t, so that small and large sizes count alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gradparity.errors import UsageError
from gradparity_bench.results import Measurement

FEWEST = 3
"""Sizes that are needed: one more than the two numbers that are fitted."""

Where = Literal["below", "within", "above"]


@dataclass(frozen=True)
class Crossover:
    """What was found along one size for one backend."""

    backend: str
    fixed_seconds: float
    """t₀, what a step takes that computes nothing."""
    flops_per_second: float
    """r, the rate at which a large step computes."""
    flops: float
    """F*, the operations of the step at the crossover."""
    size: float | None
    """The size with so many operations, interpolated on log axes; None where the crossover is outside the sizes."""
    where: Where
    """Whether it is below the smallest size (all are compute-bound), within, or above the largest."""


def crossover(measurements: Sequence[Measurement], sizes: Sequence[int | float], backend: str) -> Crossover | None:
    """Find a backend's crossover along measurements that differ in one size only.

    ``sizes`` are its values, in the same order. None where the backend is timed at fewer than three of them. Raises
    UsageError where the operations do not grow with the size.
    """
    timed = sorted(
        (size, m.flops, seconds)
        for size, m in zip(sizes, measurements, strict=True)
        if (seconds := m.row(backend).seconds()) is not None
    )
    if len(timed) < FEWEST:
        return None
    at, flops, taken = zip(*timed, strict=True)
    if any(later <= earlier for earlier, later in pairwise(flops)):
        raise UsageError(
            f"a crossover is sought along a size that makes a step larger, got steps of {flops} operations"
        )
    fixed, rate = fit(flops, taken)
    equal = fixed * rate
    where: Where = "below" if equal < flops[0] else "above" if equal > flops[-1] else "within"
    size = _interpolated(equal, flops, at) if where == "within" else None
    return Crossover(backend, fixed, rate, equal, size, where)


def fit(flops: Sequence[int | float], seconds: Sequence[int | float]) -> tuple[float, float]:
    """Return t₀ (seconds) and r (operations a second) of t(F) = t₀ + F / r, by least squares of log t."""
    import numpy as np
    from scipy.optimize import least_squares

    F, t = np.asarray(flops, dtype=float), np.asarray(seconds)

    def residuals(logs: np.ndarray) -> np.ndarray:
        fixed, per_operation = np.exp(logs)
        return np.asarray(np.log(fixed + F * per_operation) - np.log(t))

    start = [math.log(t[0] / 2), math.log(t[-1] / F[-1] / 2)]
    found = least_squares(residuals, start).x
    return math.exp(found[0]), math.exp(-found[1])


def _interpolated(value: float, known: Sequence[int | float], results: Sequence[int | float]) -> float:
    """Interpolate on log axes between sizes above 0."""
    import numpy as np

    return float(np.exp(np.interp(math.log(value), np.log(known), np.log(results))))
