"""llsq: how far a polynomial of degree m − 1 is from the sign function, ½ Σᵢ (sᵢ − Σⱼ xⱼ tᵢʲ)², and its gradient.

Source: GradBench, evals/llsq, after B. Bell's cmpad, llsq_obj.

Shortcut: tᵏʷ⁺ʲ = tᵏʷ tʲ, so of w columns and m / w rows all m powers are made, and the polynomial is a matrix product.
"""

from collections.abc import Mapping
from math import ceil, isqrt
from typing import Any

import numpy as np
from jaxtyping import Inexact

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity_gradbench.eval import Eval, Function, flat, gradients, values
from gradparity_manual.operations import namespace

param_shapes = {"x": 7}
input_shape = ()
target_shape = ()


def powers(t: Inexact[Array, " n"], count: int) -> Inexact[Array, "count n"]:
    """Return t⁰, t¹, … in rows."""
    xp = namespace(t)
    rows = [xp.ones_like(t)]
    for _ in range(count - 1):
        rows.append(rows[-1] * t)
    return xp.stack(rows)


def forward(p: Params, batch: Batch, c: Any) -> None:
    """Half the sum of squares of what is left of s."""
    xp = namespace(p["x"])
    low, high = _tables(p["x"].shape[0], batch.x)  # (w, n), (rows, n)
    shape = high.shape[0], low.shape[0]
    missing = xp.zeros(shape[0] * shape[1] - p["x"].shape[0], dtype=p["x"].dtype)
    c["blocks"] = xp.reshape(xp.concat([p["x"], missing]), shape) @ low  # (rows, n): Σⱼ x_{kw+j} tʲ
    c["fit"] = xp.sum(c["blocks"] * high, axis=0)  # (n,)
    c["left"] = batch.y - c["fit"]  # (n,)
    c["loss"] = 0.5 * xp.sum(c["left"] ** 2)


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Back through the sum, the powers of tʷ and the product."""
    low, high = _tables(p["x"].shape[0], batch.x)
    d["left"] = d["loss"] * c["left"]  # (n,)
    d["fit"] = -d["left"]  # (n,)
    d["blocks"] = d["fit"] * high  # (rows, n)
    d["x"] = (d["blocks"] @ low.T).reshape(-1)[: p["x"].shape[0]]  # (m,)


def naive_forward(p: Params, batch: Batch, c: Any) -> None:
    """The same with every power of every t."""
    xp = namespace(p["x"])
    c["fit"] = p["x"] @ powers(batch.x, p["x"].shape[0])  # (n,)
    c["left"] = batch.y - c["fit"]  # (n,)
    c["loss"] = 0.5 * xp.sum(c["left"] ** 2)


def naive_backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Back through the product with every power."""
    d["left"] = d["loss"] * c["left"]  # (n,)
    d["fit"] = -d["left"]  # (n,)
    d["x"] = powers(batch.x, p["x"].shape[0]) @ d["fit"]  # (m,)


def _tables(m: int, t: Inexact[Array, " n"]) -> tuple[Inexact[Array, "w n"], Inexact[Array, "rows n"]]:
    width = isqrt(m - 1) + 1
    low = powers(t, width)
    return low, powers(low[-1] * t, ceil(m / width))


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read x, and make t and s of n."""
    t = np.linspace(-1.0, 1.0, given["n"])
    return {"x": np.asarray(given["x"], dtype=np.float64)}, Batch(t, np.sign(t))


DERIVATION = HandDerivation(forward, backward)
NAIVE = HandDerivation(naive_forward, naive_backward)
EVAL = Eval(
    read,
    {
        "primal": Function(values(DERIVATION), float, values(NAIVE)),
        "gradient": Function(gradients(DERIVATION), flat("x"), gradients(NAIVE)),
    },
    shortcut="m powers of t are made of 2√m",
)
