"""Layer norm of each row: its deviations from their mean, by their size, times a gain, plus a bias.

Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization (2016), arXiv:1607.06450, equation 3.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.layer_norm import NormConvention
from gradparity.protocol import Array
from gradparity_manual.operations import in_rows, namespace, or_one

USUAL = NormConvention()


def forward(p: Any, x: Inexact[Array, "*n width"], c: Any, size: NormConvention = USUAL) -> Inexact[Array, "*n width"]:
    """Normalise every row, and give each column its own gain and bias."""
    xp = namespace(x)
    c["centred"] = x - x.sum(axis=-1, keepdims=True) / x.shape[-1]  # (…, width)
    variance = (c["centred"] ** 2).sum(axis=-1, keepdims=True) / _count(x, size)  # (…, 1)
    if size.epsilon_outside:
        c["scale"] = 1 / (xp.sqrt(variance) + size.epsilon)  # (…, 1)
    else:
        c["scale"] = 1 / xp.sqrt(variance + size.epsilon)  # (…, 1)
    scaled = c["centred"] * c["scale"] * p["gain"]  # (…, width)
    c["out"] = scaled + p["bias"] if size.biased else scaled
    return c["out"]


def backward(
    p: Any, x: Float[Array, "*n width"], c: Any, d: Any, size: NormConvention = USUAL
) -> Float[Array, "*n width"]:
    """Add to the gradients of gain and bias; return what x receives."""
    if size.biased:
        d.add("bias", in_rows(d["out"]).sum(axis=0))  # (width,)
    d.add("gain", in_rows(d["out"] * c["centred"] * c["scale"]).sum(axis=0))  # (width,)
    d["scale"] = (d["out"] * p["gain"] * c["centred"]).sum(axis=-1, keepdims=True)  # (…, 1)
    d.add("centred", d["out"] * p["gain"] * c["scale"])  # (…, width)
    d.add("centred", d["scale"] * _slope_of_scale(c, _count(x, size), size) * c["centred"])  # (…, width)
    return d["centred"] - d["centred"].sum(axis=-1, keepdims=True) / x.shape[-1]  # (…, width)


def _count(x: Inexact[Array, "*n width"], size: NormConvention) -> int:
    """What the sum of squares is divided by."""
    return int(x.shape[-1]) - int(size.unbiased)


def _slope_of_scale(c: Any, count: int, size: NormConvention) -> Float[Array, "*n 1"]:
    """∂scale/∂centred, without the factor centred: σ² = Σ centred²/count has derivative 2 centred/count."""
    if not size.epsilon_outside:
        return -(c["scale"] ** 3) / count  # (…, 1)
    sigma = or_one(1 / c["scale"] - size.epsilon)  # (…, 1)
    return -(c["scale"] ** 2) / (count * sigma)  # (…, 1)
