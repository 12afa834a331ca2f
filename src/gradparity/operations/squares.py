"""Sums of squares: the squared error of outputs and targets (n, outputs) each, and the L2 penalty on weights."""

from typing import Literal, NamedTuple

from gradparity.operations.reductions import REDUCTIONS
from gradparity.operations.rules import GradientRule, entry

Penalty = Literal["half-sum", "sum", "half-mean", "mean"]
"""What the sum of the squared weights is scaled by, besides λ."""


class Coefficient(NamedTuple):
    """LaTeX of what stands before the sum of squares, and before W in its gradient."""

    penalty: str
    gradient: str


COEFFICIENTS: dict[str, Coefficient] = {
    "half-sum": Coefficient(r"\frac{\lambda}{2}", r"\lambda"),
    "sum": Coefficient(r"\lambda", r"2 \lambda"),
    "half-mean": Coefficient(r"\frac{\lambda}{2n}", r"\frac{\lambda}{n}"),
    "mean": Coefficient(r"\frac{\lambda}{n}", r"\frac{2 \lambda}{n}"),
}


def error_flops(n: int, outputs: int) -> int:
    """Per output 8 operations for the loss and its gradient, at most."""
    return 8 * n * outputs


def error(a: str) -> str:
    """‖aᵢ − yᵢ‖²: the squared error of example i."""
    return rf"\lVert {entry(a, 'i')} - Y_i \rVert^2"


def of_error(reduction: str, a: str) -> GradientRule:
    """2 (A − Y), as the reduction scales it."""
    return GradientRule(
        f"{REDUCTIONS[reduction].latex} 2 ({a} - Y)",
        "The loss reads the output directly: this is the loss's own derivative.",
    )


def penalty_flops(weights: int) -> int:
    """Per weight 2 operations for the penalty and 2 for its gradient."""
    return 4 * weights


def penalty(reduction: Penalty, *weights: str) -> str:
    """(λ/2) Σⱼₖ W²ⱼₖ, as the reduction scales it: over all entries of all weights, and of the biases among them."""
    squares = " + ".join(
        rf"\sum_{{k}} {entry(each, 'k')}^2" if each.startswith("b") else rf"\sum_{{jk}} {entry(each, 'jk')}^2"
        for each in weights
    )
    return f"{COEFFICIENTS[reduction].penalty} {squares if len(weights) == 1 else f'({squares})'}"


def of_penalty(reduction: Penalty, weights: str) -> GradientRule:
    """λW, as the reduction scales it."""
    return GradientRule(
        f"{COEFFICIENTS[reduction].gradient} {weights}",
        "The penalty adds its own share: a square's derivative is in proportion to the weight.",
    )
