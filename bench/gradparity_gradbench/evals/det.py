"""det: the determinant by expansion along the first row, and its gradient, the cofactors.

Source: GradBench, evals/det, after B. Bell's cmpad, det_by_minor.

Shortcut: the minor of the last m rows and any m columns is expanded once and not each time it is met, so there are
2^ℓ of them, and not ℓ! products. The minors of one size stand in one array, in the order of their columns.
"""

from collections.abc import Mapping
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity_gradbench.eval import BACKENDS, NOTHING, Eval, Function, by, flat, gradients, values
from gradparity_manual.operations import namespace

param_shapes = {"A": (4, 4)}
input_shape = ()
target_shape = ()


class Expansion(NamedTuple):
    """How the minors of m columns are made of those of m − 1; both in ``combinations``' order."""

    smaller: Int[np.ndarray, "minors ell"]
    """For each minor and column: the minor without it; anything where the column is not in it."""
    sign: Float[np.ndarray, "minors ell"]
    """(−1) to the number of columns before it; zero where the column is not in it."""
    larger: Int[np.ndarray, "smaller ell"]
    """For each smaller minor and column: the minor with it."""
    sign_in_larger: Float[np.ndarray, "smaller ell"]


def forward(p: Params, batch: Batch, c: Any) -> None:  # noqa: ARG001
    """Row by row from the last: a minor is Σⱼ ± A[row, j] (the minor of the rows below without column j)."""
    xp = namespace(p["A"])
    size = p["A"].shape[0]
    below = xp.ones_like(p["A"][0, :1])  # the minor of no rows
    for m in range(1, size + 1):
        c[f"minors{m}"] = _signed(below, size, m) @ p["A"][size - m]  # (minors,)
        below = c[f"minors{m}"]
    c["loss"] = below[0]


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    """Row by row from the first: a minor receives from each one that it is part of, a row from all its minors."""
    xp = namespace(p["A"])
    size = p["A"].shape[0]
    rows = []
    d[f"minors{size}"] = d["loss"] * xp.ones_like(p["A"][0, :1])  # (1,)
    for m in range(size, 0, -1):
        below = c[f"minors{m - 1}"] if m > 1 else xp.ones_like(p["A"][0, :1])
        rows.append(d[f"minors{m}"] @ _signed(below, size, m))  # (ell,)
        if m > 1:
            larger, sign = (xp.asarray(table) for table in expansion(size, m)[2:])
            received = xp.take(d[f"minors{m}"], xp.reshape(larger, (-1,)), axis=0)
            sign = xp.astype(sign, p["A"].dtype)
            d[f"minors{m - 1}"] = (sign * xp.reshape(received, larger.shape)) @ p["A"][size - m]  # (smaller,)
    d["A"] = xp.stack(rows)  # (ell, ell)


def _signed(below: Inexact[Array, " smaller"], size: int, m: int) -> Inexact[Array, "minors ell"]:
    """Return what each entry of a row is multiplied with in each minor."""
    xp = namespace(below)
    smaller, sign = (xp.asarray(table) for table in expansion(size, m)[:2])
    return xp.astype(sign, below.dtype) * xp.reshape(xp.take(below, xp.reshape(smaller, (-1,)), axis=0), smaller.shape)


@cache
def expansion(size: int, m: int) -> Expansion:
    """Return how the minors of m of so many columns are made."""
    small = {columns: i for i, columns in enumerate(combinations(range(size), m - 1))}
    large = list(combinations(range(size), m))
    smaller, sign = np.zeros((len(large), size), np.int32), np.zeros((len(large), size), np.float32)
    larger, sign_in_larger = np.zeros((len(small), size), np.int32), np.zeros((len(small), size), np.float32)
    for i, columns in enumerate(large):
        for before, column in enumerate(columns):
            j = small[columns[:before] + columns[before + 1 :]]
            smaller[i, column], larger[j, column] = j, i
            sign[i, column] = sign_in_larger[j, column] = (-1) ** before
    return Expansion(smaller, sign, larger, sign_in_larger)


def by_minors(A: Inexact[Array, "*many m m"]) -> Inexact[Array, "*many"]:
    """The definition: every minor expanded anew, those of one size at once."""
    size = A.shape[-1]
    if size == 1:
        return A[..., 0, 0]
    minors = by_minors(_without_each_column(A[..., 1:, :]))
    return sum((-1) ** j * A[..., 0, j] * minors[..., j] for j in range(size))


def cofactors(A: Inexact[Array, "ell ell"]) -> Inexact[Array, "ell ell"]:
    """The gradient by the definition: every minor of one row and column less."""
    xp = namespace(A)
    size = A.shape[0]
    rows = xp.stack([xp.concat([A[:i], A[i + 1 :]]) for i in range(size)])
    minors = by_minors(_without_each_column(rows))
    signs = (-1) ** (xp.arange(size)[:, None] + xp.arange(size))
    return xp.astype(signs, A.dtype) * minors


def _without_each_column(A: Inexact[Array, "*many rows m"]) -> Inexact[Array, "*many m rows smaller"]:
    xp = namespace(A)
    own = [xp.concat([A[..., :j], A[..., j + 1 :]], axis=-1) for j in range(A.shape[-1])]
    return xp.stack(own, axis=-3)


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read the matrix, row by row."""
    return {"A": np.reshape(np.asarray(given["A"], dtype=np.float64), (given["ell"],) * 2)}, Batch(NOTHING, NOTHING)


HAND = HandDerivation(forward, backward)
EVAL = Eval(
    read,
    {
        "primal": Function(values(HAND), float, by(BACKENDS, lambda p, _: by_minors(p["A"]))),
        "gradient": Function(gradients(HAND), flat("A"), by(BACKENDS, lambda p, _: {"A": cofactors(p["A"])})),
    },
    shortcut="each minor is expanded once: 2^ℓ of them, not ℓ! products",
)
