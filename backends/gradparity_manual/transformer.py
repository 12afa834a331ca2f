"""The transformer by hand: each block adds to a stream, so going back its share is added to the stream's gradient.

Sources: A. Radford et al., Language Models are Unsupervised Multitask Learners (2019), section 2.3; A. Vaswani et al.,
Attention Is All You Need (2017), arXiv:1706.03762, section 3.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Int

from gradparity.models import Transformer
from gradparity.operations.positions import factor
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import (
    affine,
    attention,
    embedding,
    entrywise,
    in_rows,
    layer_norm,
    linear,
    multi_head,
    namespace,
    positions,
    rms_norm,
)

ATTENTION = {"out": "attended"}
UP = {"W": "W_up", "b": "b_up", "out": "up"}
ACTIVE = {"out": "active"}
DOWN = {"W": "W_down", "b": "b_down", "out": "down"}


def predict(spec: Transformer, p: Params, x: Int[Array, "n length"], c: Any) -> Inexact[Array, "n length vocabulary"]:
    """Write the embeddings, every block, the last norm and the logits; return the logits."""
    embedding.forward(View(p, "tokens"), x, View(c, "tokens"))
    if spec.encoding == "learned":
        embedding.forward(View(p, "positions"), places(p, x), View(c, "positions"))
        encoding = c["positions.out"]  # (length, width)
    else:
        encoding = sinusoids(x.shape[1], like=c["tokens.out"])  # (length, width)
    c["embedded"] = factor_of_tokens(spec) * c["tokens.out"] + encoding  # (n, length, width)
    block_forward = pre_norm_forward if spec.norm_first else post_norm_forward
    for block, below in zip(spec.places, spec.streams, strict=False):
        block_forward(spec, View(p, block), c[below], View(c, block))
    if spec.norm_first:
        norm(spec, View(p, "norm"), c[spec.streams[-1]], View(c, "norm"))
    logits = c[spec.head_reads] @ head(spec, p)
    c["logits"] = logits + p["b"] if spec.head_bias else logits  # (n, length, vocabulary)
    return c["logits"]


def pre_norm_forward(spec: Transformer, p: Any, x: Inexact[Array, "n length width"], c: Any) -> None:
    """x + attention(norm(x)), and the same of the layer φ."""
    norm(spec, View(p, "norm1"), x, View(c, "norm1"))
    attend(spec, p, c["norm1.out"], c)
    c["middle"] = x + c["attended"]  # (n, length, width)
    norm(spec, View(p, "norm2"), c["middle"], View(c, "norm2"))
    feed_forward(spec, p, c["norm2.out"], c)
    c["out"] = c["middle"] + c["down"]  # (n, length, width)


def post_norm_forward(spec: Transformer, p: Any, x: Inexact[Array, "n length width"], c: Any) -> None:
    """norm(x + attention(x)), and the same of the layer φ."""
    attend(spec, p, x, c)
    c["middle"] = x + c["attended"]  # (n, length, width)
    norm(spec, View(p, "norm1"), c["middle"], View(c, "norm1"))
    feed_forward(spec, p, c["norm1.out"], c)
    c["out"] = c["norm1.out"] + c["down"]  # (n, length, width)
    norm(spec, View(p, "norm2"), c["out"], View(c, "norm2"))


def attend(spec: Transformer, p: Any, x: Inexact[Array, "n length width"], c: Any) -> None:
    """Every position attends to itself and to those before it."""
    seen = attention.causal(x.shape[1], like=x)  # (length, length)
    biased = spec.attention_biases
    multi_head.forward(p, x, spec.heads, seen, View(c, ATTENTION), biased=biased, scaled=spec.scaled)


def feed_forward(spec: Transformer, p: Any, x: Inexact[Array, "n length width"], c: Any) -> None:
    """W_down φ(W_up x), at every position."""
    dense = linear if spec.biases == "none" else affine
    dense.forward(View(p, UP), x, View(c, UP))
    entrywise.forward(spec.activation, c["up"], View(c, ACTIVE))
    dense.forward(View(p, DOWN), c["active"], View(c, DOWN))


def forward(spec: Transformer, p: Params, batch: Batch, c: Any) -> None:
    """Write every line and the loss to c."""
    logits = predict(spec, p, batch.x, c)
    c["loss"] = factor(spec.reduction, *batch.x.shape) * positions.forward(logits, batch.y)


def backward(spec: Transformer, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    d["logits"] = d["loss"] * factor(spec.reduction, *batch.x.shape) * positions.backward(c["logits"], batch.y)
    of_head = in_rows(c[spec.head_reads]).T @ in_rows(d["logits"])  # (width, vocabulary)
    d.add("tokens.table" if spec.tied else "W", of_head.T if spec.tied else of_head)
    if spec.head_bias:
        d["b"] = in_rows(d["logits"]).sum(axis=0)  # (vocabulary,)
    d[spec.head_reads] = d["logits"] @ head(spec, p).T  # (n, length, width)
    if spec.norm_first:
        last = spec.streams[-1]
        d[last] = norm_backward(spec, View(p, "norm"), c[last], View(c, "norm"), View(d, "norm"))

    block_backward = pre_norm_backward if spec.norm_first else post_norm_backward
    for block, below in reversed(list(zip(spec.places, spec.streams, strict=False))):
        for share in block_backward(spec, View(p, block), c[below], View(c, block), View(d, block)):
            d.add(below, share)  # (n, length, width)

    d["tokens.out"] = factor_of_tokens(spec) * d["embedded"]  # (n, length, width)
    embedding.backward(View(p, "tokens"), batch.x, View(d, "tokens"))
    if spec.encoding == "learned":
        d["positions.out"] = d["embedded"].sum(axis=0)  # (length, width)
        embedding.backward(View(p, "positions"), places(p, batch.x), View(d, "positions"))


def pre_norm_backward(
    spec: Transformer, p: Any, x: Float[Array, "n length width"], c: Any, d: Any
) -> tuple[Float[Array, "n length width"], Float[Array, "n length width"]]:
    """Return what x receives: the stream's gradient unchanged, and a share through norm and attention."""
    d["down"] = d["out"]  # (n, length, width)
    d["norm2.out"] = feed_forward_backward(spec, p, c["norm2.out"], c, d)  # (n, length, width)
    d.add("middle", d["out"])  # (n, length, width)
    d.add("middle", norm_backward(spec, View(p, "norm2"), c["middle"], View(c, "norm2"), View(d, "norm2")))
    d["attended"] = d["middle"]  # (n, length, width)
    d["norm1.out"] = attend_backward(spec, p, c["norm1.out"], c, d)  # (n, length, width)
    return d["middle"], norm_backward(spec, View(p, "norm1"), x, View(c, "norm1"), View(d, "norm1"))


def post_norm_backward(
    spec: Transformer, p: Any, x: Float[Array, "n length width"], c: Any, d: Any
) -> tuple[Float[Array, "n length width"], Float[Array, "n length width"]]:
    """Return what x receives: the gradient of the sum that it is part of, and a share through attention."""
    d["out"] = norm_backward(spec, View(p, "norm2"), c["out"], View(c, "norm2"), View(d, "norm2"))
    d["down"] = d["out"]  # (n, length, width)
    d.add("norm1.out", d["out"])  # (n, length, width)
    d.add("norm1.out", feed_forward_backward(spec, p, c["norm1.out"], c, d))
    d["middle"] = norm_backward(spec, View(p, "norm1"), c["middle"], View(c, "norm1"), View(d, "norm1"))
    d["attended"] = d["middle"]  # (n, length, width)
    return d["middle"], attend_backward(spec, p, x, c, d)


def attend_backward(
    spec: Transformer, p: Any, x: Float[Array, "n length width"], c: Any, d: Any
) -> Float[Array, "n length width"]:
    """Return what x receives of the attention."""
    biased = spec.attention_biases
    return multi_head.backward(
        p, x, spec.heads, View(c, ATTENTION), View(d, ATTENTION), biased=biased, scaled=spec.scaled
    )


def feed_forward_backward(
    spec: Transformer, p: Any, x: Float[Array, "n length width"], c: Any, d: Any
) -> Float[Array, "n length width"]:
    """Return what x receives of the layer φ."""
    dense = linear if spec.biases == "none" else affine
    dense.backward(c["active"], View(d, DOWN))
    d["active"] = dense.share_of_input(View(p, DOWN), View(d, DOWN))  # (n, length, inner)
    d["up"] = entrywise.backward(spec.activation, c["up"], View(c, ACTIVE), View(d, ACTIVE))  # (n, length, inner)
    dense.backward(x, View(d, UP))
    return dense.share_of_input(View(p, UP), View(d, UP))


def factor_of_tokens(spec: Transformer) -> float:
    """√width, by which the tokens are as large as the waves of their positions; or 1."""
    return float(spec.width**0.5) if spec.scaled_tokens else 1.0


def norm(spec: Transformer, p: Any, x: Inexact[Array, "n length width"], c: Any) -> None:
    """Normalise every position, by the norm that the spec names."""
    if spec.norm == "layer":
        layer_norm.forward(p, x, c, spec.convention)
    else:
        rms_norm.forward(p, x, c, spec.convention)


def norm_backward(
    spec: Transformer, p: Any, x: Float[Array, "n length width"], c: Any, d: Any
) -> Float[Array, "n length width"]:
    """Return what the norm's input receives."""
    if spec.norm == "layer":
        return layer_norm.backward(p, x, c, d, spec.convention)
    return rms_norm.backward(p, x, c, d, spec.convention)


def places(p: Params, x: Int[Array, "n length"]) -> Int[Array, " length"]:
    """0, 1, 2, …: the row of each position."""
    return namespace(p["positions.table"]).arange(x.shape[1])


def sinusoids(length: int, like: Inexact[Array, "n length width"]) -> Inexact[Array, "length width"]:
    """Entry (t, 2i) is sin(t / 10000^(2i/width)) and (t, 2i + 1) the cosine of the same: nothing that is learned."""
    columns = np.arange(like.shape[-1])
    angles = np.arange(length)[:, None] / 10000 ** (columns // 2 * 2 / like.shape[-1])  # (length, width)
    # In float64 and rounded once, so that float32's error is not that of an angle.
    return namespace(like).asarray(np.where(columns % 2, np.cos(angles), np.sin(angles)), dtype=like.dtype)


def head(spec: Transformer, p: Params) -> Inexact[Array, "width vocabulary"]:
    """Return the map to logits: its own, or the table of the tokens."""
    return p["tokens.table"].T if spec.tied else p["W"]
