"""The linear map of each example: out = xW.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1, equations 5.53 and 5.56.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import in_rows


def forward(p: Any, x: Inexact[Array, "*n inputs"], c: Any) -> Inexact[Array, "*n outputs"]:
    """Map every example."""
    c["out"] = x @ p["W"]  # (n, outputs)
    return c["out"]


def backward(x: Float[Array, "*n inputs"], d: Any) -> None:
    """Add to the gradient of W, which touches every example: so it is a sum over the examples."""
    d.add("W", in_rows(x).T @ in_rows(d["out"]))  # (inputs, outputs)


def share_of_input(p: Any, d: Any) -> Float[Array, "*n inputs"]:
    """Return what x receives. Apart from ``backward``, for the first layer's input needs none."""
    return d["out"] @ p["W"].T  # (n, inputs)
