"""Scaled dot-product attention: each query takes the mean of the values, weighted by how its key answers it.

Source: A. Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762, equation 1.
"""

from typing import Any

from jaxtyping import Bool, Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(
    q: Inexact[Array, "*n queries width"],
    k: Inexact[Array, "*n keys width"],
    v: Inexact[Array, "*n keys outputs"],
    seen: Bool[Array, "*#n queries keys"],
    c: Any,
) -> Inexact[Array, "*n queries outputs"]:
    """Attend, where ``seen`` allows, to the keys: a query that sees none has the output zero."""
    c["scores"] = q @ _turned(k) / k.shape[-1] ** 0.5  # (…, queries, keys)
    c["weights"] = softmax_of_seen(c["scores"], seen)  # (…, queries, keys)
    c["out"] = c["weights"] @ v  # (…, queries, outputs)
    return c["out"]


def backward(
    q: Float[Array, "*n queries width"],
    k: Float[Array, "*n keys width"],
    v: Float[Array, "*n keys outputs"],
    c: Any,
    d: Any,
) -> tuple[Float[Array, "*n queries width"], Float[Array, "*n keys width"], Float[Array, "*n keys outputs"]]:
    """Return what queries, keys and values receive. What is not seen has weight 0, and so receives nothing."""
    d["weights"] = d["out"] @ _turned(v)  # (…, queries, keys)
    mean = (c["weights"] * d["weights"]).sum(axis=-1, keepdims=True)  # (…, queries, 1)
    d["scores"] = c["weights"] * (d["weights"] - mean)  # (…, queries, keys)
    scale = k.shape[-1] ** -0.5
    of_q = d["scores"] @ k * scale  # (…, queries, width)
    of_k = _turned(d["scores"]) @ q * scale  # (…, keys, width)
    of_v = _turned(c["weights"]) @ d["out"]  # (…, keys, outputs)
    return of_q, of_k, of_v


def causal(length: int, like: Inexact[Array, "..."]) -> Bool[Array, "length length"]:
    """Each place sees itself and what is before it."""
    places = namespace(like).arange(length)
    return places[:, None] >= places  # (queries, keys)


def softmax_of_seen(
    scores: Inexact[Array, "*n queries keys"], seen: Bool[Array, "*#n queries keys"]
) -> Inexact[Array, "*n queries keys"]:
    """Softmax over the keys that are seen; 0 elsewhere, also where none is."""
    xp = namespace(scores)
    top = xp.max(xp.where(seen, scores, xp.min(scores)), axis=-1, keepdims=True)  # (…, queries, 1)
    e = xp.where(seen, xp.exp(xp.where(seen, scores - top, xp.zeros_like(scores))), xp.zeros_like(scores))
    total = e.sum(axis=-1, keepdims=True)  # (…, queries, 1)
    return e / xp.where(total == 0, xp.ones_like(total), total)


def _turned(x: Inexact[Array, "*n rows columns"]) -> Inexact[Array, "*n columns rows"]:
    return namespace(x).moveaxis(x, -1, -2)
