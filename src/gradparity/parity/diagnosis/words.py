"""Numbers and places as a sentence says them."""

import re

import numpy as np
from jaxtyping import Float

from gradparity.parity.rows import names_an_edit

UNEXPLAINED = "no known cause fits"
VAGUE = re.compile(
    rf"{UNEXPLAINED}| [\d.e+-]+ \* |is right but for|entries wrong|times the right value(: | everywhere)"
)
"""Sentences that say where or how much, and not why: a fitted coefficient, rows, the one entry that there is."""


def is_vague(sentence: str) -> bool:
    """Whether a sentence leaves open why a line is wrong."""
    return bool(VAGUE.search(sentence)) and "weight decay" not in sentence and not names_an_edit(sentence)


def apart(a: float, b: float) -> tuple[str, str]:
    """Write two numbers with four digits, or as many more as it takes to tell them apart."""
    a, b = a + 0.0, b + 0.0  # -0.0 is 0
    for digits in range(4, 17):
        if f"{a:.{digits}g}" != f"{b:.{digits}g}":
            break
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def is_not(array: Float[np.ndarray, "..."], expected: Float[np.ndarray, "..."], at: tuple[int, ...]) -> str:
    """Say what one entry is and what it should be."""
    received, right = apart(float(array[at]), float(expected[at]))
    return f"{received}, should be {right}"


def worst(difference: Float[np.ndarray, "..."]) -> tuple[int, ...]:
    """Find the entry with the largest error."""
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(difference)), difference.shape))


def noun(axis: int, ndim: int) -> str:
    """Name what is counted along an axis, in the plural."""
    if ndim == 1:
        return "entries"
    return ("rows", "columns")[axis] if ndim == 2 else f"axis-{axis} slices"


def singular(plural: str) -> str:
    """Name one of them."""
    return "entry" if plural == "entries" else plural.removesuffix("s")


def example(i: int, n: int) -> str:
    """Name an example, and say so where it is the first or the last."""
    return f"example {i}" + {0: " (the first)", n - 1: " (the last)"}.get(i, "")


def times(coefficient: float, term: str, n: int, precision: float) -> str:
    """Write coefficient * term; 1 is left out, and n, 1/n and 2/n are called so."""
    known = {term: 1.0}
    if n > 1:
        known |= {f"(1/n) * {term}": 1 / n, f"(2/n) * {term}": 2 / n, f"n * {term}": n}
    for text, value in known.items():
        if abs(coefficient / value - 1) <= precision:
            return text
    return f"{coefficient:.4g} * {term}"
