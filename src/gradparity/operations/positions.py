"""The loss of a model that predicts each next token: the cross-entropy of logits (n, length, vocabulary), reduced.

"positions" is the mean over all positions of all sequences, as PyTorch's cross-entropy has it; "sequences" sums over
the positions and takes the mean over the sequences; "sum" sums over both.
"""

from typing import Literal

from gradparity.operations.rules import GradientRule

Reduction = Literal["positions", "sequences", "sum"]
_LATEX: dict[str, str] = {"positions": r"\frac{1}{n T}", "sequences": r"\frac{1}{n}", "sum": ""}


def factor(reduction: str, n: int, length: int) -> float:
    """Return the factor in front of the sum over all positions."""
    return {"positions": 1 / (n * length), "sequences": 1 / n, "sum": 1.0}[reduction]


def value(reduction: str, z: str) -> str:
    """1/(nT) Σᵢₜ (log Σₖ exp(zᵢₜₖ) − zᵢₜ[yᵢₜ])."""
    return rf"{_LATEX[reduction]} \sum_{{it}} \left( \log \sum_k e^{{{z}_{{itk}}}} - {z}_{{it, y_{{it}}}} \right)"


def of_logits(reduction: str, z: str) -> GradientRule:
    """P − Y, as the reduction scales it."""
    return GradientRule(
        rf"{_LATEX[reduction]} (\operatorname{{softmax}}({z}) - Y)",
        "At each position log-sum-exp has derivative softmax, and the logit of the next token has derivative one-hot.",
    )
