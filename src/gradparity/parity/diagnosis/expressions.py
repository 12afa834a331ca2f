"""What a line could have computed from the named arrays: one of them, a function, a sum or a product of two."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from gradparity.operations import EXPRESSIONS

Terms = Mapping[str, Float[np.ndarray, "..."]]
Shape = tuple[int, ...]


class Expression(NamedTuple):
    """A formula in the form of code, and its value."""

    form: str
    """With {0} and {1} for the operands."""
    operands: tuple[str, ...]
    value: Float[np.ndarray, "..."]

    @property
    def text(self) -> str:
        """The formula."""
        return self.form.format(*self.operands)


def plain(terms: Terms, shape: Shape) -> Iterator[Expression]:
    """Yield the arrays themselves, as far as they have this shape or broadcast to it; no single numbers."""
    for name, t in terms.items():
        if t.size <= 1:
            continue
        if t.ndim == 1 and len(shape) == 2 and len(t) == shape[0]:
            yield Expression("{0}[:, None]", (name,), np.broadcast_to(t[:, None], shape))
        elif _broadcasts(t.shape, shape):
            yield Expression("{0}", (name,), np.broadcast_to(t, shape))


def unary(terms: Terms, shape: Shape) -> Iterator[Expression]:
    """Yield the arrays of this shape, then the functions of those that are no gradients."""
    arrays = list(plain(terms, shape))
    yield from arrays
    for form, function in EXPRESSIONS.items():
        for array in arrays:
            if array.operands[0].startswith("d["):
                continue
            value = function(array.value)
            if np.isfinite(value).all() and np.ptp(value) > 0:  # a mask of ones is no mask
                yield Expression(form.replace("{0}", array.form), array.operands, value)


def linear(terms: Terms, shape: Shape) -> Iterator[Expression]:
    """Yield transposes, sums over axes and matrix products of this shape."""
    for name, t in terms.items():
        if t.ndim == 2 and t.T.shape == shape:
            yield Expression("{0}.T", (name,), t.T)
        for axis in range(t.ndim):
            if _without(t.shape, axis) == shape:
                yield Expression(f"{{0}}.sum(axis={axis})", (name,), np.asarray(t.sum(axis=axis)))
        if t.ndim > 2 and t.shape[-1:] == shape:
            leading = tuple(range(t.ndim - 1))
            yield Expression(f"{{0}}.sum(axis={leading})", (name,), t.sum(axis=leading))
    for left, s, right, t in contracting(terms, shape):
        yield Expression(outer_form(s.ndim), (left, right), outer(s, t))
    matrices = {name: t for name, t in terms.items() if t.ndim == 2}
    for left, s in terms.items():
        for right, t in matrices.items():
            if s.shape[:-1] == shape[:-1] and s.shape[-1:] + shape[-1:] == t.shape:
                yield Expression("{0} @ {1}", (left, right), s @ t)
            if s.shape[:-1] == shape[:-1] and shape[-1:] + s.shape[-1:] == t.shape:
                yield Expression("{0} @ {1}.T", (left, right), s @ t.T)


def elementwise(
    terms: Terms,
    shape: Shape,
    at: Int[np.ndarray, " m"],
    promising: Callable[[Float[np.ndarray, "s f m"]], Bool[np.ndarray, "s f"]],
) -> Iterator[Expression]:
    """Yield the products, entry by entry, of one array of this shape and a function of another.

    There are many: only those are computed that look promising at the flat indices ``at``.
    """
    lefts = [(name, s) for name, s in terms.items() if s.shape == shape and s.size > 1]
    factors = list(unary(terms, shape))
    s_at = np.array([s.flat[at] for _, s in lefts]).reshape(-1, 1, len(at))
    f_at = np.array([factor.value.flat[at] for factor in factors]).reshape(1, -1, len(at))
    for i, j in np.argwhere(promising(s_at * f_at)):
        (left, s), factor = lefts[i], factors[j]
        if factor.operands[0] != left:
            form = factor.form.replace("{0}", "{1}")
            yield Expression(f"{{0}} * {bracketed(form)}", (left, *factor.operands), s * factor.value)


def bracketed(text: str) -> str:
    """Put a sum in brackets, so that it can stand in a product."""
    return f"({text})" if text.startswith("1 - ") else text


def outer(s: Float[np.ndarray, "*lead a"], t: Float[np.ndarray, "*lead b"]) -> Float[np.ndarray, "a b"]:
    """Sum the outer products of the last axes over all the others: sᵀ t."""
    return np.asarray(s.reshape(-1, s.shape[-1]).T @ t.reshape(-1, t.shape[-1]))


def outer_form(ndim: int) -> str:
    """Write ``outer`` as code."""
    return "{0}.T @ {1}" if ndim == 2 else "einsum('...i,...j->ij', {0}, {1})"


def contracting(terms: Terms, shape: Shape) -> Iterator[tuple[str, np.ndarray, str, np.ndarray]]:
    """Yield the pairs (name of s, s, name of t, t) for which ``outer(s, t)`` has this shape."""
    if len(shape) != 2:
        return
    lefts = [(name, s) for name, s in terms.items() if s.ndim >= 2 and s.shape[-1] == shape[0]]
    rights = [(name, t) for name, t in terms.items() if t.ndim >= 2 and t.shape[-1] == shape[1]]
    for left, s in lefts:
        for right, t in rights:
            if s.shape[:-1] == t.shape[:-1]:
                yield left, s, right, t


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _broadcasts(shape: Shape, to: Shape) -> bool:
    if len(shape) > len(to):
        return False
    return all(size in (1, wide) for size, wide in zip(reversed(shape), reversed(to), strict=False))
