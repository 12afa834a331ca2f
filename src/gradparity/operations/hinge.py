"""The hinge loss of scores (n, classes) and labels (n,): every class that comes within Δ of the label's score
counts, with what it is too near by, or with the square of that. The binary one is of scores and targets
(n, outputs), each for itself: it should be on its target's side of 0, by Δ at least.

Sources: J. Weston and C. Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999), equation 3;
C. Cortes and V. Vapnik, Support-Vector Networks (1995), section 3.
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


def binary_margins(a: str, delta: float) -> str:
    """Δ − sᵢₖ aᵢₖ, where s is 1 for a target above 0, and −1 for another."""
    return rf"{delta:g} - S \odot {a}, \quad S = 2\,[Y > 0] - 1"


def binary_value(m: str, *, squared: bool) -> str:
    """Σₖ max(mᵢₖ, 0), or Σₖ max(mᵢₖ, 0)²: the loss of example i."""
    return rf"\sum_k \max({entry(m, 'ik')}, 0)" + ("^2" if squared else "")


def of_binary_margins(reduction: str, m: str, *, squared: bool) -> GradientRule:
    """[M > 0], or 2 max(M, 0), as the reduction scales it."""
    slope = rf"2 \max({m}, 0)" if squared else f"[{m} > 0]"
    return GradientRule(
        f"{REDUCTIONS[reduction].latex} {slope}",
        f"A margin above 0 adds {'its square' if squared else 'itself'} to the loss; one below 0 adds nothing.",
    )


def of_binary_scores(m: str) -> GradientRule:
    """−S ⊙ dM."""
    return GradientRule(rf"-S \odot {d(m)}", "A score is in its own margin alone, with the sign of its target.")
