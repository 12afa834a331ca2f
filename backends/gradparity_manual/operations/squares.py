"""Sums of squares: the squared error of each example, and the L2 penalty on weights."""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array


def error(a: Inexact[Array, "n outputs"], y: Inexact[Array, "n outputs"]) -> Inexact[Array, " n"]:
    """‖a − y‖² of each example; the reduction over them is the model's."""
    return ((a - y) ** 2).sum(axis=1)  # (n,)


def error_backward(a: Float[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Float[Array, "n outputs"]:
    """2 (a − y): the gradient of each example's squared error with respect to its own row of a."""
    return 2 * (a - y)  # (n, outputs)


def penalty(p: Any, decay: float, c: Any) -> Inexact[Array, ""]:
    """(λ/2) Σ W²: over all entries, and over no examples."""
    c["out"] = decay / 2 * (p["W"] ** 2).sum()  # ()
    return c["out"]


def penalty_backward(p: Any, decay: float, d: Any) -> None:
    """Add λW to the gradient of W."""
    d.add("W", d["out"] * decay * p["W"])  # the shape of W
