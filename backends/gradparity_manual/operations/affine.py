"""The affine map of each example: out = xW + b, a linear map and a bias.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1, equations 5.53 and 5.56.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import in_rows, linear
from gradparity_manual.operations.linear import share_of_input

__all__ = ["backward", "forward", "share_of_input"]


def forward(p: Any, x: Inexact[Array, "*n inputs"], c: Any) -> Inexact[Array, "*n outputs"]:
    """Map every example; b is added to each."""
    c["out"] = x @ p["W"] + p["b"]  # (n, outputs)
    return c["out"]


def backward(x: Float[Array, "*n inputs"], d: Any) -> None:
    """Add to the gradients of W and b, which touch every example: so both are sums over the examples."""
    linear.backward(x, d)
    d.add("b", in_rows(d["out"]).sum(axis=0))  # (outputs,)
