"""Softmax cross-entropy of logits (n, classes) and labels (n,): −log softmax(z)[y] of each example."""

import numpy as np
from jaxtyping import Float

from gradparity.operations.reductions import REDUCTIONS
from gradparity.operations.rules import Expressions, GradientRule, entry


def softmax(z: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """exp(zₖ) / Σⱼ exp(zⱼ) along the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


EXPRESSIONS: Expressions = {"exp({0})": np.exp, "softmax({0})": softmax}
"""The local derivative of log-sum-exp, and what it is made of."""


def flops(n: int, classes: int) -> int:
    """Per logit 8 operations for softmax, loss and P − Y."""
    return 8 * n * classes


def value(z: str) -> str:
    """log Σₖ exp(zᵢₖ) − zᵢ[yᵢ]: the cross-entropy of example i."""
    return rf"\left( \log \sum_k e^{{{entry(z, 'ik')}}} - {entry(z, 'i y_i')} \right)"


def of_input(reduction: str, z: str, probabilities: str = "") -> GradientRule:
    """P − Y, as the reduction scales it; ``probabilities`` is what a formula calls softmax(z), if by a name."""
    softmax_of_z = rf"\operatorname{{softmax}}({z})"
    where = rf", \quad {probabilities} = {softmax_of_z}" if probabilities else ""
    return GradientRule(
        f"{REDUCTIONS[reduction].latex}({probabilities or softmax_of_z} - Y){where}",
        "The loss reads the output directly: this is the loss's own derivative.",
    )
