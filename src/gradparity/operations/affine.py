"""The affine map of each example, out = xW + b: a linear map, and a bias (fan-out,) that is added to every example."""

from gradparity.operations import linear
from gradparity.operations.linear import flops, of_input, of_weights
from gradparity.operations.rules import GradientRule, d, entry

__all__ = ["flops", "of_bias", "of_input", "of_weights", "shapes", "value"]


def shapes(fan_in: int, fan_out: int) -> dict[str, tuple[int, ...]]:
    """W (fan_in, fan_out), b (fan_out,)."""
    return {**linear.shapes(fan_in, fan_out), "b": (fan_out,)}


def value(x: str, weights: str, bias: str) -> str:
    """XW + b."""
    return f"{linear.value(x, weights)} + {bias}"


def of_bias(out: str) -> GradientRule:
    """Σᵢ dZᵢ."""
    return GradientRule(
        rf"\textstyle\sum_i {entry(d(out), 'i')}",
        "The bias is added to every example, so its gradient is the sum over the batch.",
    )
