"""The hinge loss of scores (n, classes) and labels (n,): every class that comes within Δ of the label's score
counts, with what it is too near by, or with the square of that.

Source: J. Weston and C. Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999), equation 3.
"""

from gradparity.operations.reductions import REDUCTIONS
from gradparity.operations.rules import GradientRule, d, entry


def flops(n: int, classes: int) -> int:
    """Per score 6 operations for margins, loss and both gradients."""
    return 6 * n * classes


def margins(a: str, delta: float) -> str:
    """aᵢₖ − aᵢ[yᵢ] + Δ."""
    return rf"\left( {entry(a, 'ik')} - {entry(a, 'i y_i')} + {delta:g} \right)_{{ik}}"


def value(m: str, *, squared: bool) -> str:
    """Σ max(mᵢₖ, 0), or Σ max(mᵢₖ, 0)², over the classes k other than yᵢ: the loss of example i."""
    return rf"\sum_{{k \ne y_i}} \max({entry(m, 'ik')}, 0)" + ("^2" if squared else "")


def of_margins(reduction: str, m: str, *, squared: bool) -> GradientRule:
    """[mᵢₖ > 0 and k ≠ yᵢ], or 2 max(mᵢₖ, 0) [k ≠ yᵢ], as the reduction scales it."""
    if squared:
        return GradientRule(
            rf"{REDUCTIONS[reduction].latex} 2 \left( \max({entry(m, 'ik')}, 0)\,[k \ne y_i] \right)_{{ik}}",
            "A margin above 0 adds its square to the loss; one below 0, and that of the label itself, adds nothing.",
        )
    return GradientRule(
        rf"{REDUCTIONS[reduction].latex} \left( [{entry(m, 'ik')} > 0]\,[k \ne y_i] \right)_{{ik}}",
        "A margin above 0 adds itself to the loss; one below 0, and that of the label itself, adds nothing.",
    )


def of_scores(m: str) -> GradientRule:
    """dM, and minus its sum in the label's column."""
    return GradientRule(
        rf"{d(m)} - Y \odot \textstyle\sum_k {d(m)}_{{ik}}",
        "A class's score is in its own margin; the label's score is subtracted in every margin of its example.",
    )
