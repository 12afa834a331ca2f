"""Sums of squares: the squared error of each example, and the L2 penalty on weights."""

from collections.abc import Iterable
from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array


def error(a: Inexact[Array, "n outputs"], y: Inexact[Array, "n outputs"]) -> Inexact[Array, " n"]:
    """‖a − y‖² of each example; the reduction over them is the model's."""
    return ((a - y) ** 2).sum(axis=1)  # (n,)


def error_backward(a: Float[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Float[Array, "n outputs"]:
    """2 (a − y): the gradient of each example's squared error with respect to its own row of a."""
    return 2 * (a - y)  # (n, outputs)


def penalty(p: Any, weights: Iterable[str], factor: float, c: Any) -> Inexact[Array, ""]:
    """factor · Σ W²: over all entries of all weights, and over no examples."""
    c["out"] = sum(factor * (p[name] ** 2).sum() for name in weights)  # ()
    return c["out"]


def penalty_backward(p: Any, weights: Iterable[str], factor: float, d: Any) -> None:
    """Add 2 factor · W to the gradient of each of the weights."""
    for name in weights:
        d.add(name, d["out"] * (2 * factor) * p[name])  # the shape of W
