"""Sums of squares: the squared error of outputs and targets (n, outputs) each, and the L2 penalty on weights."""

from gradparity.operations.reductions import REDUCTIONS
from gradparity.operations.rules import GradientRule, entry


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


def penalty(weights: str) -> str:
    """(λ/2) Σⱼₖ W²ⱼₖ: over all entries, and not divided by n."""
    return rf"\frac{{\lambda}}{{2}} \sum_{{jk}} {entry(weights, 'jk')}^2"


def of_penalty(weights: str) -> GradientRule:
    """λW."""
    return GradientRule(rf"\lambda {weights}", rf"The penalty adds its own share λ{weights}.")
