"""The linear map of each example, out = xW: inputs (n, fan-in), outputs (n, fan-out). Before a batch norm, which takes
the mean away, a bias would do nothing.
"""

from gradparity.operations.rules import GradientRule, d, product


def shapes(fan_in: int, fan_out: int) -> dict[str, tuple[int, ...]]:
    """W (fan_in, fan_out)."""
    return {"W": (fan_in, fan_out)}


def flops(n: int, fan_in: int, fan_out: int, *, of_input: bool) -> int:
    """One product forward and one for W; one more where the input needs a gradient."""
    return (3 if of_input else 2) * 2 * n * fan_in * fan_out


def value(x: str, weights: str) -> str:
    """XW."""
    return product(x, weights)


def of_weights(x: str, out: str) -> GradientRule:
    """Xᵀ dZ."""
    return GradientRule(
        rf"{x}^\top {d(out)}",
        "A weight touches every example, so the products of its input and its output's upstream gradient "
        "are summed over the batch.",
    )


def of_input(weights: str, out: str) -> GradientRule:
    """dZ Wᵀ."""
    return GradientRule(
        rf"{d(out)} {weights}^\top",
        "Each entry feeds every unit of the next layer, so the gradient comes back through W transposed.",
    )
