"""The derivative at 0 of a function of one real variable, from its values alone, and how exact it is."""

import warnings
from collections.abc import Callable
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gradparity.parity.norms import norm

RATIO = 4
STEPS: Float[np.ndarray, " steps"] = 1.0 / np.float64(RATIO) ** np.arange(1, 17)
"""The steps h that are tried, the largest first: powers of two, so that h·v is exact."""
ROUNDING = 16
"""How many times the measured noise is still taken for rounding: it is measured from a few values only."""
RESOLVED = 100
"""A remainder this many times larger than the noise tells its own size to about a percent."""
KEPT = 10
"""Steps at which f is measured on both sides."""
FEWEST = 3
"""Steps that two extrapolations, or the fit of a slope, need."""
FITTED = 4
"""Steps in the fit of a slope: the smallest ones, where the lowest power of h prevails."""
COMPLEX_STEP = 2.0**-100
"""Its square is lost beside any number that matters, and the number itself underflows nowhere."""
NOISE_POINTS = 9
SINGLE_SPACINGS = 2.0**-21, 2.0**-17
CLEAR = 8
"""Estimates of one noise differ by less than this factor."""
NOISE_SPACING = 2.0**-36
"""So close together that the function is a straight line there, and only rounding bends it."""


def noise(f: Callable[[float], float], spacing: float = NOISE_SPACING) -> float:
    """Estimate the rounding error of f near 0 from the fourth differences of nine values; at least one ulp.

    Source: J. Moré & S. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): the
    k-th differences of independent errors of variance σ² have variance σ² (2k)! / (k!)², which is 70 σ² for k = 4.
    """
    values = np.array([f(i * spacing) for i in range(NOISE_POINTS)])
    with np.errstate(invalid="ignore"):
        differences = np.diff(values, 4)
    sigma = norm(differences) / np.sqrt(70 * len(differences))
    return float(np.maximum(sigma, np.finfo(np.float64).eps * abs(values[0])))


def single_noise(f: Callable[[float], float]) -> float | None:
    """Estimate the rounding error of an f that computes in float32 inside; None for one that does not.

    Far closer together than float32 can tell its arguments apart, such an f is flat; a little further, it is as rough
    at one spacing as at another, and on either side. One kink is on one side, and many bend f more the further apart
    the values are.
    """
    fine = noise(f)
    found = [noise(f, side * spacing) for spacing in SINGLE_SPACINGS for side in (1, -1)]
    return max(found) if CLEAR * fine < min(found) and max(found) < CLEAR * min(found) else None


class Measured(NamedTuple):
    """f'(0), and what it was measured from."""

    derivative: float
    accuracy: float
    """The largest error that the derivative may have."""
    steps: Float[np.ndarray, " steps"]
    """The steps h, descending, within which no kink is crossed."""
    change: Float[np.ndarray, " steps"]
    """f(h) − f(0) at each step."""


def measured(
    f: Callable[[float], float], here: float, noise: float, steps: Float[np.ndarray, " steps"] = STEPS
) -> Measured | None:
    """Measure f'(0) by central differences; None where even the smallest steps meet a kink.

    ``here`` is f(0). A kink that the caller knows of is where f is NaN; one that nobody knows of shows in how f bends
    from step to step.
    """
    kept: list[tuple[float, float, float]] = []
    for h in steps.tolist():
        # Lazily: where the step above has met a kink, the one below is not run.
        losses = list(takewhile(np.isfinite, (f(signed) for signed in (h, -h))))
        if len(losses) != 2:
            kept = []
            continue
        kept.append((h, *losses))
        if len(kept) >= KEPT and (found := _without_kinks(kept, here, noise)):
            return found
    return _without_kinks(kept, here, noise)


def _without_kinks(kept: list[tuple[float, float, float]], here: float, noise: float) -> Measured | None:
    """Measure it from those steps within which there is no kink; None where they are too few."""
    taken, above, below = np.array(kept).reshape(-1, 3).T
    largest = max(np.max(np.abs(above), initial=0.0), np.max(np.abs(below), initial=0.0))
    noise = max(noise, float(np.finfo(np.float64).eps * largest))  # f(0) = 0 has none, and its surroundings have
    free = slice(smooth_from(taken, above - 2 * here + below, noise), None)
    if len(taken[free]) < FEWEST:
        return None
    return Measured(*central(taken[free], above[free], below[free], noise), taken[free], above[free] - here)


def complex_step(f: Callable[[complex], complex]) -> float | None:
    """Return Im f(ih) / h, exact to rounding for an analytic f; None where f does not take complex numbers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Casting complex")  # what NumPy and PyTorch say
        try:
            value = f(1j * COMPLEX_STEP)
        except Exception:  # whatever it raises: the same code has just run on real numbers
            return None
    return float(np.imag(value)) / COMPLEX_STEP


def smooth_from(steps: Float[np.ndarray, " steps"], bend: Float[np.ndarray, " steps"], noise: float) -> int:
    """Return how many of the largest steps to leave out, so that no kink is within the rest.

    ``bend`` is f(h) − 2 f(0) + f(−h). Divided by h² it is the curvature, which settles with h² along a smooth
    function: by 1/RATIO² from step to step. A kink within the step adds a term in 1/h: that changes by RATIO.
    """
    change = np.abs(np.diff(bend / steps**2))
    rounding = ROUNDING * noise / steps[1:] ** 2
    unsettled = change[1:] > np.maximum(change[:-1] / RATIO, rounding[1:])
    return int(np.max(np.flatnonzero(unsettled) + 2, initial=0))


def central(
    steps: Float[np.ndarray, " steps"],
    above: Float[np.ndarray, " steps"],
    below: Float[np.ndarray, " steps"],
    noise: float,
) -> tuple[float, float]:
    """Return f'(0) from f(h) and f(−h), and the largest error that it may have; FEWEST steps or more.

    Central differences err by a series in h², of which two Richardson extrapolations remove two terms. What the last
    one still changes is taken for the error, but never as less than 1/RATIO² of the same at the step before, where
    theory says 1/RATIO⁴: at a step that is too large the change may be small by chance. To this the noise divided by
    the smallest step is added, and of the results at all steps the one with the smallest error counts.
    Source: C. Ridders, Accurate computation of F'(x) and F'(x) F''(x), Advances in Engineering Software 4 (1982).
    """
    once = _extrapolate((above - below) / (2 * steps), RATIO**2)
    twice = _extrapolate(once.better, RATIO**4)
    truncation = twice.change
    previous = once.change[0]
    for i, change in enumerate(truncation):
        previous = truncation[i] = max(change, previous / RATIO**2)
    error = truncation + ROUNDING * noise / steps[2:]
    best = int(np.argmin(error))
    return float(twice.better[best]), float(error[best])


class _Extrapolation(NamedTuple):
    better: Float[np.ndarray, " fewer"]
    change: Float[np.ndarray, " fewer"]


def _extrapolate(table: Float[np.ndarray, " steps"], power: int) -> _Extrapolation:
    better = (power * table[1:] - table[:-1]) / (power - 1)
    return _Extrapolation(better, np.abs(better - table[1:]))


def rate(
    steps: Float[np.ndarray, " steps"], remainders: Float[np.ndarray, " steps"], noise: float
) -> tuple[float, tuple[float, float]] | None:
    """Return r of remainder ≈ C hʳ, and the smallest and largest step of the fit.

    Fitted over the smallest steps at which every remainder stands clear of the noise; None where those are fewer
    than FEWEST, as along a straight line. ``steps`` descend.
    """
    lost = np.flatnonzero(~(np.abs(remainders) > RESOLVED * noise))
    clear = slice(0, int(lost[0]) if len(lost) else len(steps))
    h, remainder = steps[clear][-FITTED:], np.abs(remainders[clear][-FITTED:])
    if len(h) < FEWEST:
        return None
    slope = float(np.polyfit(np.log(h), np.log(remainder), 1)[0])
    return slope, (float(h[-1]), float(h[0]))
