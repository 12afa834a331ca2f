"""The hinge loss of each example, in two steps: margins, and the sum of those above 0, or of their
squares; of several classes, and of scores that each have a side of 0 to be on. The reduction is the model's.

Sources: J. Weston and C. Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999), equation 3;
C. Cortes and V. Vapnik, Support-Vector Networks (1995), section 3.
"""

from typing import Any

from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array
from gradparity_manual.operations import namespace
from gradparity_manual.operations.cross_entropy import one_hot


def margins(
    a: Inexact[Array, "n classes"], y: Int[Array, " n"], c: Any, delta: float = 1.0
) -> Inexact[Array, "n classes"]:
    """By how much each class's score comes within ``delta`` of the label's."""
    of_label = a[namespace(a).arange(a.shape[0]), y]  # (n,)
    c["out"] = a - of_label[:, None] + delta  # (n, classes)
    return c["out"]


def margins_backward(y: Int[Array, " n"], d: Any) -> Float[Array, "n classes"]:
    """Return what the scores receive: the label's is in every margin of its row, with a minus."""
    return d["out"] - one_hot(y, like=d["out"]) * d["out"].sum(axis=1)[:, None]  # (n, classes)


def forward(m: Inexact[Array, "n classes"], y: Int[Array, " n"]) -> Inexact[Array, " n"]:
    """Σ max(mₖ, 0) over the classes other than y, of each example."""
    return (m * backward(m, y)).sum(axis=1)  # (n,)


def backward(m: Inexact[Array, "n classes"], y: Int[Array, " n"]) -> Inexact[Array, "n classes"]:
    """[mₖ > 0 and k ≠ y]: which margins count; 0 at the kink m = 0."""
    xp = namespace(m)
    others = xp.arange(m.shape[1]) != y[:, None]  # (n, classes)
    return xp.astype((m > 0) & others, m.dtype)  # (n, classes)


def squared(m: Inexact[Array, "n classes"], y: Int[Array, " n"]) -> Inexact[Array, " n"]:
    """Σ max(mₖ, 0)² over the classes other than y, of each example."""
    return (m**2 * backward(m, y)).sum(axis=1)  # (n,)


def squared_backward(m: Float[Array, "n classes"], y: Int[Array, " n"]) -> Float[Array, "n classes"]:
    """2 max(mₖ, 0) [k ≠ y]."""
    return 2 * m * backward(m, y)  # (n, classes)


def binary_margins(
    a: Inexact[Array, "n outputs"], y: Float[Array, "n outputs"], c: Any, delta: float = 1.0
) -> Inexact[Array, "n outputs"]:
    """By how much each score lacks ``delta`` on its target's side of 0."""
    c["out"] = delta - side(y) * a  # (n, outputs)
    return c["out"]


def binary_margins_backward(y: Float[Array, "n outputs"], d: Any) -> Float[Array, "n outputs"]:
    """Return what the scores receive: each is in its own margin, with its side's sign."""
    return -side(y) * d["out"]  # (n, outputs)


def binary(m: Inexact[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Inexact[Array, " n"]:
    """Σ max(mₖ, 0), of each example."""
    return (m * binary_backward(m, y)).sum(axis=1)  # (n,)


def binary_backward(m: Inexact[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Inexact[Array, "n outputs"]:  # noqa: ARG001
    """[mₖ > 0]; 0 at the kink m = 0."""
    return namespace(m).astype(m > 0, m.dtype)  # (n, outputs)


def squared_binary(m: Inexact[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Inexact[Array, " n"]:
    """Σ max(mₖ, 0)², of each example."""
    return (m**2 * binary_backward(m, y)).sum(axis=1)  # (n,)


def squared_binary_backward(m: Float[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Float[Array, "n outputs"]:
    """2 max(mₖ, 0)."""
    return 2 * m * binary_backward(m, y)  # (n, outputs)


def side(y: Float[Array, "n outputs"]) -> Float[Array, "n outputs"]:
    """1 for a target above 0, −1 for another: targets may be ±1, or 1 and 0."""
    return 2 * namespace(y).astype(y > 0, y.dtype) - 1
