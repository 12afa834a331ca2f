"""Sigmoid cross-entropy of logits and targets (n, outputs): −log of the probability of each target, from 0 to 1."""

from gradparity.operations.reductions import REDUCTIONS
from gradparity.operations.rules import GradientRule, entry


def flops(n: int, outputs: int) -> int:
    """Per logit 8 operations for the loss, the sigmoid and its difference to the target."""
    return 8 * n * outputs


def value(z: str, y: str = "Y") -> str:
    """Σₖ log(1 + exp(zᵢₖ)) − yᵢₖ zᵢₖ: the cross-entropy of example i, over its outputs."""
    zik = entry(z, "ik")
    return rf"\sum_k \left( \log(1 + e^{{{zik}}}) - {entry(y, 'ik')}\,{zik} \right)"


def of_input(reduction: str, z: str, y: str = "Y") -> GradientRule:
    """σ(Z) − Y, as the reduction scales it."""
    return GradientRule(
        rf"{REDUCTIONS[reduction].latex}(\sigma({z}) - {y})",
        "log(1 + exp(z)) has the derivative sigmoid, and yz has y: the loss pulls each probability to its target.",
    )
