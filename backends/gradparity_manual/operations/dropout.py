"""Dropout with a given mask, which is 0 or 1 / (1 − rate): out = x ⊙ mask.

Source: N. Srivastava and others, Dropout (2014), Journal of Machine Learning Research 15.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array


def forward(x: Inexact[Array, "*shape"], mask: Float[Array, "*shape"], c: Any) -> Inexact[Array, "*shape"]:
    """Drop and scale, entry by entry."""
    c["out"] = x * mask  # the shape of x
    return c["out"]


def backward(mask: Float[Array, "*shape"], d: Any) -> Float[Array, "*shape"]:
    """Return what x receives: an entry's factor is its own."""
    return d["out"] * mask  # the shape of x
