"""Scaled dot-product attention: each query takes the mean of the values, weighted by how its key answers it.

Source: A. Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762, equation 1.
"""

from typing import Any

from jaxtyping import Bool, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(
    seen: Bool[Array, "*#n queries keys"], c: Any, *, scaled: bool = True
) -> Inexact[Array, "*n queries outputs"]:
    """Let the queries c["q"] attend, where ``seen`` allows, to the keys c["k"], and take their values c["v"].

    A query that sees nothing has the output 0.
    """
    c["scores"] = c["q"] @ turned(c["k"]) / divisor(c["k"], scaled)  # (…, queries, keys)
    c["weights"] = softmax_of_seen(c["scores"], seen)  # (…, queries, keys)
    c["out"] = c["weights"] @ c["v"]  # (…, queries, outputs)
    return c["out"]


def backward(c: Any, d: Any, *, scaled: bool = True) -> None:
    """Write the gradients of q, k and v. What is not seen has weight 0, and so sends and receives nothing."""
    d["v"] = turned(c["weights"]) @ d["out"]  # (…, keys, outputs)
    d["weights"] = d["out"] @ turned(c["v"])  # (…, queries, keys)
    mean = (c["weights"] * d["weights"]).sum(axis=-1, keepdims=True)  # (…, queries, 1)
    d["scores"] = c["weights"] * (d["weights"] - mean)  # (…, queries, keys)
    d["q"] = d["scores"] @ c["k"] / divisor(c["k"], scaled)  # (…, queries, width)
    d["k"] = turned(d["scores"]) @ c["q"] / divisor(c["k"], scaled)  # (…, keys, width)


def divisor(k: Inexact[Array, "*n keys width"], scaled: bool) -> float:
    """√width, so that scores are of the size of one entry; or 1, as in T5."""
    return float(k.shape[-1] ** 0.5) if scaled else 1.0


def causal(length: int, like: Inexact[Array, "..."]) -> Bool[Array, "length length"]:
    """Each place sees itself and what is before it."""
    places = namespace(like).arange(length)
    return places[:, None] >= places  # (queries, keys)


def softmax_of_seen(
    scores: Inexact[Array, "*n queries keys"], seen: Bool[Array, "*#n queries keys"]
) -> Inexact[Array, "*n queries keys"]:
    """Softmax over the keys that are seen; 0 elsewhere, also where none is."""
    xp = namespace(scores)
    zeros = xp.zeros_like(scores)
    top = xp.max(xp.where(seen, scores, zeros + xp.min(scores)), axis=-1, keepdims=True)  # (…, queries, 1)
    e = xp.where(seen, xp.exp(xp.where(seen, scores - top, zeros)), zeros)  # (…, queries, keys)
    total = e.sum(axis=-1, keepdims=True)  # (…, queries, 1)
    return e / xp.where(total == 0, xp.ones_like(total), total)


def turned(x: Inexact[Array, "*n rows columns"]) -> Inexact[Array, "*n columns rows"]:
    """Swap the last two axes."""
    return namespace(x).moveaxis(x, -1, -2)
