"""Dropout: each entry of x times its own entry of a mask, 0 or 1 / (1 − rate); in prediction nothing is dropped.

The masks are given, as extras of the batch: backends that drew their own could not be compared.
Source: N. Srivastava and others, Dropout (2014), Journal of Machine Learning Research 15, in the form that scales in
training ("inverted"), so that prediction needs no factor.
"""

import numpy as np
from jaxtyping import Float

from gradparity.operations.rules import GradientRule, d


def draw_mask(rng: np.random.Generator, n: int, width: int, rate: float) -> Float[np.ndarray, "n width"]:
    """Draw a mask that drops each entry with the probability ``rate``."""
    return np.where(rng.random((n, width)) < rate, 0.0, 1 / (1 - rate))


def flops(n: int, width: int) -> int:
    """Per entry one product forward and one backward."""
    return 2 * n * width


def value(x: str, mask: str) -> str:
    """X ⊙ M."""
    return rf"{x} \odot {mask}"


def of_input(mask: str, out: str) -> GradientRule:
    """dY ⊙ M."""
    return GradientRule(
        rf"{d(out)} \odot {mask}",
        "What was dropped receives nothing, and what was kept is scaled as it was.",
    )
