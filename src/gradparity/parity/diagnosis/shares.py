"""A sum with a share too few or too many: a term, a branch, one example; or a line made of the wrong arrays."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from jaxtyping import Float

from gradparity.parity.diagnosis.evidence import CLOSE, Discrepancy
from gradparity.parity.diagnosis.expressions import Expression, bracketed, contracting, outer, outer_form
from gradparity.parity.diagnosis.words import UNEXPLAINED, example, times
from gradparity.parity.norms import distance, norm


def swapped_array(error: Discrepancy) -> str | None:
    """Array and expected are both expressions of the named arrays: at best, the same one of different arrays."""
    if not error.equal_candidates or error.evidence.vanishes:
        return None
    within = error.evidence.limit * error.evidence.scale
    right = [x for x in error.candidates if distance(x.value, error.expected) <= within]
    for x in error.equal_candidates:
        for y in right:
            exchanged = [(a, b) for a, b in zip(x.operands, y.operands, strict=False) if a != b]
            if x.form == y.form and len(exchanged) == 1:
                used, belongs = exchanged[0]
                return f"uses {used} where {belongs} belongs: it is {x.text}, should be {y.text}"
    return f"is {error.equal_candidates[0].text}, should be {right[0].text}" if right else None


def made_of(error: Discrepancy) -> str | None:
    """Array is an expression of the named arrays; what it should be is none of them."""
    for x in error.equal_candidates:
        another = x.form == "{0}" and x.text.startswith("d[") and error.evidence.symbol == "d"
        return f"is what {x.text} should be" if another else f"is {x.text}, and {UNEXPLAINED}"
    return None


def scalar_share(error: Discrepancy) -> str | None:
    """A single number is off by exactly another one; whole numbers prove nothing."""
    if error.expected.size > 1:
        return None
    for name, term in error.evidence.terms.items():
        if term.size == 1 and not float(term.item()).is_integer():
            if error.agree(error.array, error.expected - term):
                return f"lacks {name}"
            if error.agree(error.array, error.expected + term):
                return f"has {name} too much"
    return None


def one_example(error: Discrepancy) -> str | None:
    """Array − expected = ∓ the share of one example, or of one step of time, in a sum over them."""
    n = error.evidence.n
    for text, axis, at_landmarks, share_of in _sums(error):
        length = len(at_landmarks)
        for i in np.flatnonzero(error.like_error(at_landmarks) | error.like_error(-at_landmarks)).tolist():
            who = example(i, length) if axis == 0 and length == n else f"index {i} of axis {axis}"
            if error.agree(error.array, error.expected - share_of(i)):
                return f"lacks {who} in {text}"
            if error.agree(error.array, error.expected + share_of(i)):
                return f"counts {who} twice in {text}"
    return None


def share(error: Discrepancy) -> str | None:
    """Array − expected = k · a named array, or a function, a sum or a product of such; k = ±1 if that will do."""
    e = error.evidence
    if error.expected.size == 1:
        return None
    found: list[tuple[float, Expression]] = []
    for x in error.candidates:
        k = _coefficient(error.difference, x.value)
        as_large = abs(abs(k) * norm(x.value) / error.size - 1) <= CLOSE
        if as_large and error.agree(error.array, error.expected + k * x.value, free=1):
            found.append((k, x))
    if not found:
        return None
    k, x = min(found, key=lambda pair: abs(abs(pair[0]) - 1) > e.limit)
    what = times(abs(k), bracketed(x.text), e.n, max(e.limit, 1e-6))
    decay = e.symbol == "d" and x.text == f"p[{e.name!r}]"
    if k > 0:
        why = "weight decay that the loss has not, or has once" if decay else "not subtracted, or added once too often"
        return f"has {what} too much: {why}"
    if decay:
        return f"lacks {what}: weight decay is missing or too weak"
    one_use = what == x.text and "*" not in x.form and any(operand.startswith("d[") for operand in x.operands)
    return f"lacks {what}" + (f": the gradient of one use of {e.name} is missing" if one_use else "")


def _coefficient(a: Float[np.ndarray, "*shape"], x: Float[np.ndarray, "*shape"]) -> float:
    """The k of the least ‖a − k x‖₂."""
    squared = float(np.vdot(x, x))
    return float(np.vdot(x, a)) / squared if squared > 0 else 0.0


def _sums(
    error: Discrepancy,
) -> Iterator[tuple[str, int, Float[np.ndarray, "length m"], Callable[[int], Float[np.ndarray, "..."]]]]:
    """Yield every sum over examples, or over steps of time, that has the shape of the line.

    That is its formula, the axis it is over, the shares along this axis at the largest entries of the error, and
    a function that computes one share in full.
    """
    terms, shape = error.evidence.terms, error.expected.shape
    at = np.unravel_index(error.landmarks[2], shape)
    for left, s, right, t in contracting(terms, shape):
        products = s[..., at[0]] * t[..., at[1]]
        for axis in range(s.ndim - 1):
            text = outer_form(s.ndim).format(left, right)
            yield text, axis, _total(products, axis, 1), partial(_outer_share, s, t, axis)
    for name, t in terms.items():
        kept = len(shape)
        if kept < t.ndim and t.shape[t.ndim - kept :] == shape:
            leading = tuple(range(t.ndim - kept))
            over = leading[0] if len(leading) == 1 else leading
            for axis in leading:
                yield f"{name}.sum(axis={over})", axis, _total(t[..., *at], axis, 1), partial(_share, t, axis, kept)


def _total(a: Float[np.ndarray, "..."], axis: int, kept: int) -> Float[np.ndarray, "..."]:
    """Sum over all axes but one and the ``kept`` last."""
    return np.asarray(a.sum(axis=tuple(other for other in range(a.ndim - kept) if other != axis)))


def _share(t: Float[np.ndarray, "..."], axis: int, kept: int, i: int) -> Float[np.ndarray, "..."]:
    return np.asarray(_total(t.take([i], axis), axis, kept)[0])


def _outer_share(
    s: Float[np.ndarray, "..."], t: Float[np.ndarray, "..."], axis: int, i: int
) -> Float[np.ndarray, "a b"]:
    return outer(s.take([i], axis), t.take([i], axis))
