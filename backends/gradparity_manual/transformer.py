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
    multi_head,
    namespace,
    positions,
    rms_norm,
)

ATTENTION = {"x": "norm1.out", "out": "attended"}
UP = {"W": "W_up", "b": "b_up", "out": "up"}
ACTIVE = {"out": "active"}
DOWN = {"W": "W_down", "b": "b_down", "out": "down"}


def predict(spec: Transformer, p: Params, x: Int[Array, "n length"], c: Any) -> Inexact[Array, "n length vocabulary"]:
    """Write the embeddings, every block, the last norm and the logits; return the logits."""
    embedding.forward(View(p, "tokens"), x, View(c, "tokens"))
    if spec.encoding == "learned":
        embedding.forward(View(p, "positions"), places(p, x), View(c, "positions"))
        c["embedded"] = c["tokens.out"] + c["positions.out"]  # (n, length, width)
    else:
        c["embedded"] = c["tokens.out"] + sinusoids(x.shape[1], like=c["tokens.out"])  # (n, length, width)
    below = "embedded"
    for block in spec.places:
        block_forward(spec, View(p, block), c, below, View(c, block))
        below = f"{block}.out"
    norm(spec, View(p, "norm"), c[below], View(c, "norm"))
    c["logits"] = c["norm.out"] @ head(spec, p)  # (n, length, vocabulary)
    return c["logits"]


def block_forward(spec: Transformer, p: Any, c: Any, below: str, b: Any) -> None:
    """Write to b, the view of c at the block, what the block makes of the stream c[below]."""
    norm(spec, View(p, "norm1"), c[below], View(b, "norm1"))
    seen = attention.causal(c[below].shape[1], like=c[below])  # (length, length)
    multi_head.forward(p, spec.heads, seen, View(b, ATTENTION), scaled=spec.scaled)
    b["middle"] = c[below] + b["attended"]  # (n, length, width)
    norm(spec, View(p, "norm2"), b["middle"], View(b, "norm2"))
    affine.forward(View(p, UP), b["norm2.out"], View(b, UP))
    entrywise.forward(spec.activation, b["up"], View(b, ACTIVE))
    affine.forward(View(p, DOWN), b["active"], View(b, DOWN))
    b["out"] = b["middle"] + b["down"]  # (n, length, width)


def forward(spec: Transformer, p: Params, batch: Batch, c: Any) -> None:
    """Write every line and the loss to c."""
    logits = predict(spec, p, batch.x, c)
    c["loss"] = factor(spec.reduction, *batch.x.shape) * positions.forward(logits, batch.y)


def backward(spec: Transformer, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    d["logits"] = d["loss"] * factor(spec.reduction, *batch.x.shape) * positions.backward(c["logits"], batch.y)
    of_head = in_rows(c["norm.out"]).T @ in_rows(d["logits"])  # (width, vocabulary)
    d.add("tokens.table" if spec.tied else "W", of_head.T if spec.tied else of_head)
    d["norm.out"] = d["logits"] @ head(spec, p).T  # (n, length, width)

    streams = ["embedded", *(f"{block}.out" for block in spec.places)]
    d.add(streams[-1], norm_backward(spec, View(p, "norm"), c[streams[-1]], View(c, "norm"), View(d, "norm")))
    for block, below in reversed(list(zip(spec.places, streams[:-1], strict=True))):
        block_backward(spec, View(p, block), c, d, below, block)

    d["tokens.out"] = d["embedded"]
    embedding.backward(View(p, "tokens"), batch.x, View(d, "tokens"))
    if spec.encoding == "learned":
        d["positions.out"] = d["embedded"].sum(axis=0)  # (length, width)
        embedding.backward(View(p, "positions"), places(p, batch.x), View(d, "positions"))


def block_backward(spec: Transformer, p: Any, c: Any, d: Any, below: str, block: str) -> None:
    """Write the gradients of a block's names; add its two shares to the gradient of the stream below it."""
    b, e = View(c, block), View(d, block)
    e["down"] = e["out"]  # (n, length, width)
    affine.backward(b["active"], View(e, DOWN))
    e["active"] = affine.share_of_input(View(p, DOWN), View(e, DOWN))  # (n, length, inner)
    e["up"] = entrywise.backward(spec.activation, b["up"], View(b, ACTIVE), View(e, ACTIVE))  # (n, length, inner)
    affine.backward(b["norm2.out"], View(e, UP))
    e["norm2.out"] = affine.share_of_input(View(p, UP), View(e, UP))  # (n, length, width)
    e.add("middle", e["out"])  # (n, length, width)
    e.add("middle", norm_backward(spec, View(p, "norm2"), b["middle"], View(b, "norm2"), View(e, "norm2")))
    e["attended"] = e["middle"]  # (n, length, width)
    e["norm1.out"] = multi_head.backward(p, spec.heads, View(b, ATTENTION), View(e, ATTENTION), scaled=spec.scaled)
    d.add(below, e["middle"])  # (n, length, width)
    d.add(below, norm_backward(spec, View(p, "norm1"), c[below], View(b, "norm1"), View(e, "norm1")))


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
