"""RMS norm of each row of x (…, width): the row by its root mean square, times a gain; no mean, and no bias.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization (2019), arXiv:1910.07467, equation 4. Convention:
ε stands inside of the root, beside the mean of the squares, or outside, as in the code of the paper.
"""

from gradparity.operations.layer_norm import of_gain, of_scale
from gradparity.operations.rules import GradientRule, d

__all__ = ["flops", "of_gain", "of_input", "of_scale", "scale", "shapes", "value"]


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Gain (width,)."""
    return {"gain": (width,)}


def flops(rows: int, width: int) -> int:
    """Per number 5 operations forward and 9 backward."""
    return 14 * rows * width


def scale(x: str, *, epsilon_outside: bool) -> str:
    """1/√(mean(x²) + ε), or 1/(√mean(x²) + ε)."""
    if epsilon_outside:
        return rf"\frac{{1}}{{\sqrt{{\operatorname{{mean}}({x}^2)}} + \epsilon}}"
    return rf"\frac{{1}}{{\sqrt{{\operatorname{{mean}}({x}^2) + \epsilon}}}}"


def value(x: str, s: str, gain: str) -> str:
    """The row times its scale, times the gain."""
    return rf"{x} {s} \odot {gain}"


def of_input(x: str, s: str, gain: str, out: str, *, epsilon_outside: bool) -> GradientRule:
    """dY γ s, and through the scale −ds s³ x/m, or −ds s² x/(m ρ) with the root mean square ρ."""
    through = rf"{s}^2 \frac{{{x}}}{{m\,\rho}}" if epsilon_outside else rf"{s}^3 \frac{{{x}}}{{m}}"
    return GradientRule(
        rf"{d(out)} \odot {gain} {s} - {d(s)} {through}",
        "An entry is scaled itself, and has its share in the scale of the whole row.",
    )
