"""Sums of squares: the squared error of each example, and the L2 penalty on weights."""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Inexact

from gradparity.protocol import Array, Params
from gradparity.recording import View

PENALTY = {"out": "penalty"}


@runtime_checkable
class Penalised(Protocol):
    """What a spec says of its L2 penalty."""

    @property
    def weight_decay(self) -> float:
        """λ; zero where there is no penalty."""

    @property
    def penalised(self) -> list[str]:
        """The names of what the penalty is on."""

    def penalty_factor(self, n: int) -> float:
        """The factor in front of Σ W², for n examples."""


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


def with_penalty(spec: Penalised, data_term: str, data_loss: Inexact[Array, ""], p: Params, n: int, c: Any) -> None:
    """Write the loss; with weight decay, its two terms as well, that of the data under the name of ``data_term``."""
    if spec.weight_decay == 0:
        c["loss"] = data_loss
        return
    c[data_term] = data_loss
    penalty(p, spec.penalised, spec.penalty_factor(n), View(c, PENALTY))
    c["loss"] = c[data_term] + c["penalty"]


def with_penalty_backward(spec: Penalised, data_term: str, p: Params, n: int, d: Any) -> Array:
    """Return what the data's term receives; with weight decay, write what both do, and the shares of the weights."""
    if spec.weight_decay == 0:
        return d["loss"]
    d[data_term] = d["loss"]
    d["penalty"] = d["loss"]
    penalty_backward(p, spec.penalised, spec.penalty_factor(n), View(d, PENALTY))
    return d[data_term]
