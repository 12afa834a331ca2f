"""The affine map of each example, out = xW + b: inputs (n, fan-in), outputs (n, fan-out)."""

from gradparity.operations.rules import GradientRule, d, entry, product


def shapes(fan_in: int, fan_out: int, *, biased: bool = True) -> dict[str, tuple[int, ...]]:
    """W (fan_in, fan_out), b (fan_out,). Before a batch norm b would do nothing, and there is none."""
    return {"W": (fan_in, fan_out)} | ({"b": (fan_out,)} if biased else {})


def flops(n: int, fan_in: int, fan_out: int, *, of_input: bool) -> int:
    """One product forward and one for W; one more where the input needs a gradient."""
    return (3 if of_input else 2) * 2 * n * fan_in * fan_out


def value(x: str, weights: str, bias: str = "") -> str:
    """XW + b."""
    return product(x, weights) + (f" + {bias}" if bias else "")


def of_weights(x: str, out: str) -> GradientRule:
    """Xᵀ dZ."""
    return GradientRule(
        rf"{x}^\top {d(out)}",
        "A weight touches every example, so the products of its input and its output's upstream gradient "
        "are summed over the batch.",
    )


def of_bias(out: str) -> GradientRule:
    """Σᵢ dZᵢ."""
    return GradientRule(
        rf"\textstyle\sum_i {entry(d(out), 'i')}",
        "The bias is added to every example, so its gradient is the sum over the batch.",
    )


def of_input(weights: str, out: str) -> GradientRule:
    """dZ Wᵀ."""
    return GradientRule(
        rf"{d(out)} {weights}^\top",
        "Each entry feeds every unit of the next layer, so the gradient comes back through W transposed.",
    )
