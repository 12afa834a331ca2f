"""Pooling: the largest pixel of each window, or the mean; both are a weighted sum of the window's pixels."""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.pooling import Kind
from gradparity.operations.windows import Pair, Windows
from gradparity.protocol import Array
from gradparity_manual.operations import namespace, windows


def forward(
    kind: Kind, x: Inexact[Array, "n channels h w"], at: Windows, c: Any
) -> Inexact[Array, "n channels down across"]:
    """Write what each window holds, along the last axis; the weighted sum of that is the output."""
    c["windows"] = namespace(x).moveaxis(windows.forward(x, at), 2, -1)  # (n, channels, down, across, places)
    c["out"] = (c["windows"] * _weights(kind, c["windows"])).sum(axis=-1)  # (n, channels, down, across)
    return c["out"]


def backward(kind: Kind, image: Pair, at: Windows, c: Any, d: Any) -> Float[Array, "n channels h w"]:
    """Return what x receives: each window's gradient, shared by the same weights, back at the window's place."""
    d["windows"] = d["out"][..., None] * _weights(kind, c["windows"])  # (n, channels, down, across, places)
    return windows.backward(namespace(d["windows"]).moveaxis(d["windows"], -1, 2), image, at)


def _weights(kind: Kind, w: Inexact[Array, "*windows places"]) -> Inexact[Array, "*windows places"]:
    """1 for the first of the largest pixels and 0 for the others; or the same share for all."""
    xp = namespace(w)
    if kind == "average":
        return xp.ones_like(w) / w.shape[-1]
    largest = xp.argmax(w, axis=-1)  # (n, channels, down, across)
    return xp.astype(xp.arange(w.shape[-1]) == largest[..., None], w.dtype)
