"""Batch norm of each channel: its deviations from its mean over the batch, by their size, times a gain, plus a bias.

Source: S. Ioffe, C. Szegedy, Batch Normalization (2015), arXiv:1502.03167, algorithm 1 and section 3.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.batch_norm import count_of
from gradparity.operations.layer_norm import NormConvention
from gradparity.protocol import Array
from gradparity_manual.operations import namespace, or_one


def forward(
    p: Any, x: Inexact[Array, "n channels *at"], c: Any, size: NormConvention
) -> Inexact[Array, "n channels *at"]:
    """Normalise every channel with the batch's own mean and variance."""
    count = count_of(x.shape)
    c["mean"] = _summed(x) / count  # (channels,)
    c["centred"] = x - _across(c["mean"], x)  # (n, channels, …)
    c["variance"] = _summed(c["centred"] ** 2) / (count - size.unbiased)  # (channels,)
    c["scale"] = _scale(c["variance"], size)  # (channels,)
    c["out"] = c["centred"] * _across(c["scale"] * p["gain"], x) + _across(p["bias"], x)  # (n, channels, …)
    return c["out"]


def predict(p: Any, x: Inexact[Array, "n channels *at"], size: NormConvention) -> Inexact[Array, "n channels *at"]:
    """Normalise every channel with the running mean and variance, which training leaves beside the parameters."""
    scale = _scale(p["variance"], size) * p["gain"]  # (channels,)
    return (x - _across(p["mean"], x)) * _across(scale, x) + _across(p["bias"], x)


def backward(
    p: Any, x: Float[Array, "n channels *at"], c: Any, d: Any, size: NormConvention
) -> Float[Array, "n channels *at"]:
    """Add to the gradients of gain and bias; return what x receives."""
    count = count_of(x.shape)
    scaled = c["centred"] * _across(c["scale"], x)  # (n, channels, …)
    d.add("bias", _summed(d["out"]))  # (channels,)
    d.add("gain", _summed(d["out"] * scaled))  # (channels,)
    d["scale"] = _summed(d["out"] * c["centred"]) * p["gain"]  # (channels,)
    d["variance"] = d["scale"] * _slope_of_scale(c, size)  # (channels,)
    through_variance = _across(d["variance"] * (2 / (count - size.unbiased)), x) * c["centred"]
    d["centred"] = d["out"] * _across(c["scale"] * p["gain"], x) + through_variance  # (n, channels, …)
    d["mean"] = -_summed(d["centred"])  # (channels,)
    return d["centred"] + _across(d["mean"] / count, x)  # (n, channels, …)


def _scale(variance: Inexact[Array, " channels"], size: NormConvention) -> Inexact[Array, " channels"]:
    xp = namespace(variance)
    if size.epsilon_outside:
        return 1 / (xp.sqrt(variance) + size.epsilon)
    return 1 / xp.sqrt(variance + size.epsilon)


def _slope_of_scale(c: Any, size: NormConvention) -> Float[Array, " channels"]:
    """∂scale/∂variance."""
    if size.epsilon_outside:
        return -(c["scale"] ** 2) / (2 * or_one(namespace(c["variance"]).sqrt(c["variance"])))
    return -(c["scale"] ** 3) / 2


def _summed(x: Inexact[Array, "n channels *at"]) -> Inexact[Array, " channels"]:
    """Sum each channel over the examples, and over the places of an image."""
    return x.sum(axis=(0, *range(2, x.ndim)))


def _across(each: Inexact[Array, " channels"], x: Inexact[Array, "n channels *at"]) -> Inexact[Array, "channels *ones"]:
    """Give each channel's number the axes that it needs beside x."""
    return each.reshape(-1, *(1,) * (x.ndim - 2))
