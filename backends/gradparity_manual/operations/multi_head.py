"""Multi-head attention: each head attends with queries, keys and values of its own; their outputs are mapped once more.

Source: A. Vaswani et al., Attention Is All You Need (2017), arXiv:1706.03762, section 3.2.2.
"""

from typing import Any

from jaxtyping import Bool, Float, Inexact

from gradparity.protocol import Array
from gradparity.recording import View
from gradparity_manual.operations import attention, in_rows, namespace

HEADS = {"out": "heads"}


def forward(
    p: Any,
    x: Inexact[Array, "n length width"],
    heads: int,
    seen: Bool[Array, "length length"],
    c: Any,
    *,
    biased: str = "qkvo",
    scaled: bool = True,
) -> Inexact[Array, "n length width"]:
    """Map x to the heads' queries, keys and values, attend, and map what they bring; ``biased`` maps have a b."""
    c["q"] = in_heads(mapped("q", p, x, biased), heads)  # (n, heads, length, width/heads)
    c["k"] = in_heads(mapped("k", p, x, biased), heads)  # (n, heads, length, width/heads)
    c["v"] = in_heads(mapped("v", p, x, biased), heads)  # (n, heads, length, width/heads)
    attention.forward(seen, View(c, HEADS), scaled=scaled)
    c["out"] = mapped("o", p, side_by_side(c["heads"]), biased)  # (n, length, width)
    return c["out"]


def mapped(name: str, p: Any, x: Inexact[Array, "n length width"], biased: str) -> Inexact[Array, "n length width"]:
    """Return xW + b, or xW, of the map of that name."""
    out = x @ p[f"W_{name}"]  # (n, length, width)
    return out + p[f"b_{name}"] if name in biased else out


def backward(
    p: Any,
    x: Float[Array, "n length width"],
    heads: int,
    c: Any,
    d: Any,
    *,
    biased: str = "qkvo",
    scaled: bool = True,
) -> Float[Array, "n length width"]:
    """Add to the gradients of the four maps; return what x receives, by three ways."""
    d.add("W_o", in_rows(side_by_side(c["heads"])).T @ in_rows(d["out"]))  # (width, width)
    if "o" in biased:
        d.add("b_o", in_rows(d["out"]).sum(axis=0))  # (width,)
    d["heads"] = in_heads(d["out"] @ p["W_o"].T, heads)  # (n, heads, length, width/heads)
    attention.backward(View(c, HEADS), View(d, HEADS), scaled=scaled)
    for name in ("q", "k", "v"):
        d.add(f"W_{name}", in_rows(x).T @ in_rows(side_by_side(d[name])))  # (width, width)
        if name in biased:
            d.add(f"b_{name}", in_rows(side_by_side(d[name])).sum(axis=0))  # (width,)
    shares = [side_by_side(d[name]) @ p[f"W_{name}"].T for name in ("q", "k", "v")]  # (n, length, width) each
    return shares[0] + shares[1] + shares[2]


def in_heads(x: Inexact[Array, "n length width"], heads: int) -> Inexact[Array, "n heads length part"]:
    """Cut the width into equal parts, one for each head."""
    n, length, width = x.shape
    return namespace(x).moveaxis(x.reshape(n, length, heads, width // heads), 2, 1)


def side_by_side(x: Inexact[Array, "n heads length part"]) -> Inexact[Array, "n length width"]:
    """Put the heads' parts side by side again."""
    n, heads, length, part = x.shape
    return namespace(x).moveaxis(x, 1, 2).reshape(n, length, heads * part)
