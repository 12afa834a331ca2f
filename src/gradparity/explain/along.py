"""The loss along one weight: the curve, its tangent, and how well differences of the curve tell the tangent's slope."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gradparity.parity.norms import typical_size
from gradparity.parity.perturbed import Loss

REACH = 3.0
"""How far the curve goes to either side, in the size of the parameter's entries."""
POINTS = 41
STEPS: Float[np.ndarray, " steps"] = np.logspace(0, -14, 29)
"""The steps h, in the size of the parameter's entries."""
MOST = 4
"""Weights of which the curve is drawn."""


@dataclass(frozen=True)
class AlongWeight:
    """The loss as a function of one entry of a parameter, all else as it is."""

    name: str
    place: tuple[int, ...]
    value: float
    loss: float
    gradient: float
    """The witness's; the slope of the tangent."""
    weights: tuple[float, ...]
    losses: tuple[float, ...]
    """The loss at each of ``weights``."""
    steps: tuple[float, ...]
    """Steps h, descending."""
    central: tuple[float, ...]
    """(L(w + h) − L(w − h)) / 2h at each step."""
    forward: tuple[float, ...]
    """(L(w + h) − L(w)) / h at each step."""


def along_weights(
    loss: Loss, gradients: Mapping[str, Float[np.ndarray, "..."]], places: Mapping[str, tuple[int, ...]]
) -> tuple[AlongWeight, ...]:
    """Draw the loss along the entry at ``places`` of the first few parameters, matrices first."""
    names = sorted(loss.params, key=lambda name: loss.params[name].ndim < 2)
    return tuple(_along(loss, name, places[name], float(gradients[name][places[name]])) for name in names[:MOST])


def _along(loss: Loss, name: str, place: tuple[int, ...], gradient: float) -> AlongWeight:
    array = loss.params[name]
    size = typical_size(array)
    offsets = REACH * size * np.linspace(-1, 1, POINTS)
    steps = STEPS * size

    def at(t: float) -> float:
        change = np.zeros(array.shape)
        change[place] = t
        return float(loss.run({name: change}).loss)

    here, value = at(0.0), float(array[place])
    above, below = (_each(at, side * steps) for side in (1, -1))
    return AlongWeight(
        name,
        place,
        value,
        here,
        gradient,
        tuple((value + offsets).tolist()),
        tuple(_each(at, offsets).tolist()),
        tuple(steps.tolist()),
        tuple(((above - below) / (2 * steps)).tolist()),
        tuple(((above - here) / steps).tolist()),
    )


def _each(f: Callable[[float], float], points: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    return np.array([f(t) for t in points.tolist()])
