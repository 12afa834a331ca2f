"""Layer norm of each row of x (…, width): its deviations from their mean, by their size, times a gain, plus a bias.

Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization (2016), arXiv:1607.06450, equation 3. The world has more than
one convention for the size, and ``NormConvention`` says which is meant.
"""

from typing import NamedTuple

from gradparity.operations.rules import GradientRule, d


class NormConvention(NamedTuple):
    """The size σ that a row is divided by. The default is 1/√(σ² + ε) with σ² a mean, as PyTorch and JAX have it."""

    epsilon: float = 1e-5
    epsilon_outside: bool = False
    """Whether it is 1/(σ + ε), with ε outside of the root."""
    unbiased: bool = False
    """Whether σ² is a sum divided by width − 1, not by the width."""
    biased: bool = True
    """Whether a layer norm adds a bias, as all but few do."""


def shapes(width: int, *, biased: bool = True) -> dict[str, tuple[int, ...]]:
    """Gain (width,), bias (width,)."""
    return {"gain": (width,), **({"bias": (width,)} if biased else {})}


def flops(rows: int, width: int) -> int:
    """Per number 8 operations forward and 12 backward."""
    return 20 * rows * width


def centred(x: str) -> str:
    """x − mean(x)."""
    return rf"{x} - \operatorname{{mean}}({x})"


def scale(xc: str, convention: NormConvention) -> str:
    """1/√(σ² + ε), or 1/(σ + ε)."""
    squares = rf"\textstyle\sum_k {xc}_k^2 / (m - 1)" if convention.unbiased else rf"\operatorname{{mean}}({xc}^2)"
    if convention.epsilon_outside:
        return rf"\frac{{1}}{{\sqrt{{{squares}}} + \epsilon}}"
    return rf"\frac{{1}}{{\sqrt{{{squares} + \epsilon}}}}"


def value(xc: str, s: str, gain: str, bias: str = "") -> str:
    """Deviations times scale, times gain, plus bias."""
    return rf"{xc} {s} \odot {gain}" + (f" + {bias}" if bias else "")


def of_gain(xc: str, s: str, out: str) -> GradientRule:
    """Σ dY ⊙ x̂."""
    return GradientRule(
        rf"\textstyle\sum {d(out)} \odot {xc} {s}",
        "The gain multiplies every scaled row, so its products with the upstream gradient are summed over the rows.",
    )


def of_bias(out: str) -> GradientRule:
    """Σ dY."""
    return GradientRule(
        rf"\textstyle\sum {d(out)}", "The bias is added to every row, so its gradient is the sum over the rows."
    )


def of_scale(xc: str, gain: str, out: str) -> GradientRule:
    """Σₖ dYₖ γₖ x̃ₖ."""
    return GradientRule(
        rf"\textstyle\sum_k ({d(out)} \odot {gain} \odot {xc})_k",
        "One scale multiplies the whole row, so its gradient is a sum along the row.",
    )


def of_centred(xc: str, s: str, gain: str, out: str, convention: NormConvention) -> GradientRule:
    """dY γ s, and through the scale −ds s³ x̃/m."""
    count = "(m - 1)" if convention.unbiased else "m"
    through = (
        rf"{s}^2 \frac{{{xc}}}{{{count}\,\sigma}}" if convention.epsilon_outside else rf"{s}^3 \frac{{{xc}}}{{{count}}}"
    )
    return GradientRule(
        rf"{d(out)} \odot {gain} {s} - {d(s)} {through}",
        "A deviation is scaled itself, and has its share in the scale of the whole row.",
    )


def of_input(xc: str) -> GradientRule:
    """dx̃ − mean(dx̃)."""
    return GradientRule(
        rf"{d(xc)} - \operatorname{{mean}}({d(xc)})",
        "Each entry is also part of the mean that is taken from all: the mean of the gradients is taken away.",
    )
