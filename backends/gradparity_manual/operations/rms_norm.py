"""RMS norm of each row: the row by its root mean square, times a gain.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization (2019), arXiv:1910.07467, equation 4.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.layer_norm import NormConvention
from gradparity.protocol import Array
from gradparity_manual.operations import in_rows, namespace, or_one

USUAL = NormConvention()


def forward(p: Any, x: Inexact[Array, "*n width"], c: Any, size: NormConvention = USUAL) -> Inexact[Array, "*n width"]:
    """Divide every row by its root mean square, and give each column its own gain."""
    xp = namespace(x)
    mean_of_squares = (x**2).sum(axis=-1, keepdims=True) / x.shape[-1]  # (…, 1)
    if size.epsilon_outside:
        c["scale"] = 1 / (xp.sqrt(mean_of_squares) + size.epsilon)  # (…, 1)
    else:
        c["scale"] = 1 / xp.sqrt(mean_of_squares + size.epsilon)  # (…, 1)
    c["out"] = x * c["scale"] * p["gain"]  # (…, width)
    return c["out"]


def backward(
    p: Any, x: Float[Array, "*n width"], c: Any, d: Any, size: NormConvention = USUAL
) -> Float[Array, "*n width"]:
    """Add to the gradient of the gain; return what x receives: as what is scaled, and as part of the scale."""
    d.add("gain", in_rows(d["out"] * x * c["scale"]).sum(axis=0))  # (width,)
    d["scale"] = (d["out"] * p["gain"] * x).sum(axis=-1, keepdims=True)  # (…, 1)
    if size.epsilon_outside:
        root = or_one(1 / c["scale"] - size.epsilon)  # (…, 1)
        slope = c["scale"] ** 2 / root  # (…, 1)
    else:
        slope = c["scale"] ** 3  # (…, 1)
    return d["out"] * p["gain"] * c["scale"] - d["scale"] * slope / x.shape[-1] * x  # (…, width)
