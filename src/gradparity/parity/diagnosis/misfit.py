"""Arrays whose numbers cannot be compared: never written, of another shape or dtype, or not finite."""

import difflib
from collections.abc import Iterator
from itertools import chain, combinations

import numpy as np
from jaxtyping import Shaped

from gradparity.parity.diagnosis.evidence import Evidence
from gradparity.parity.diagnosis.expressions import linear, plain
from gradparity.parity.diagnosis.words import noun
from gradparity.parity.norms import SINGLE, distance, in_single, norm

Guess = tuple[str, np.ndarray, np.ndarray]
"""What happened, and the two arrays that are equal if it did."""


def misfit(e: Evidence) -> str | None:
    """Say why the array cannot be compared, or nothing where it can."""
    if e.array is None:
        return _never_written(e)
    if e.array.dtype.kind != "f":
        return f"has dtype {e.array.dtype}, should be {e.dtype}"
    if e.array.shape != e.expected.shape:
        return f"has shape {e.array.shape}, should be {e.expected.shape}{_shape_cause(e, e.array)}"
    if not np.isfinite(e.array).all():
        also = "" if np.isfinite(e.expected).all() else "; the witness's is not finite either"
        return f"is {_not_finite(e.array)}{also}"
    if not np.isfinite(e.expected).all():
        return f"cannot be judged: the witness's is {_not_finite(e.expected)}"
    return _precision(e, e.array)


def _never_written(e: Evidence) -> str:
    for stray, array in e.strays.items():
        if _equal(e, array, e.expected):
            return f"is never written: {e.symbol}[{stray!r}] holds its value"
    close = difflib.get_close_matches(e.name, e.strays, n=1)
    return "is never written" + (f": is {e.symbol}[{close[0]!r}] meant to be it?" if close else "")


def _shape_cause(e: Evidence, array: np.ndarray) -> str:
    """Say how the right array became one of this shape, or nothing where that does not show."""
    ways = (_reshaped, _summed, _cut)
    guesses = chain(*(way(array, e.expected) for way in ways), _made_of(e, array))
    return next((f": {what}" for what, a, b in guesses if _equal(e, a, b)), "")


def _reshaped(array: np.ndarray, right: np.ndarray) -> Iterator[Guess]:
    yield "it is transposed", array, right.T
    if array.size == right.size:
        same = array.reshape(right.shape)
        if 1 not in (*array.shape, *right.shape):
            yield "it holds the right numbers, reshaped", same, right
        elif array.ndim > right.ndim:
            yield "it kept an axis of length 1", same, right
        else:
            yield "it lost an axis of length 1 (keepdims)", same, right


def _summed(array: np.ndarray, right: np.ndarray) -> Iterator[Guess]:
    if array.size == 1:
        yield "it is summed over all axes", array.reshape(()), np.asarray(right.sum())
    for axis in range(right.ndim):
        for keepdims in (False, True):
            yield f"it is summed over axis {axis} as well", array, np.asarray(right.sum(axis=axis, keepdims=keepdims))
    for count in range(1, array.ndim + 1):
        for axes in combinations(range(array.ndim), count):
            over = f"axis {axes[0]}" if count == 1 else f"axes {axes}"
            yield f"it is not yet summed over {over}", np.asarray(array.sum(axis=axes)), right


def _cut(array: np.ndarray, right: np.ndarray) -> Iterator[Guess]:
    if array.ndim == right.ndim > 0:
        what = noun(0, right.ndim)
        yield f"the last of its {what} is missing", array, right[:-1]
        yield f"the first of its {what} is missing", array, right[1:]


def _made_of(e: Evidence, array: np.ndarray) -> Iterator[Guess]:
    for candidate in chain(plain(e.terms, array.shape), linear(e.terms, array.shape)):
        yield f"it is {candidate.text}", array, candidate.value


def _not_finite(array: np.ndarray) -> str:
    """Say what is in the array instead of numbers, how often, and where first."""
    kinds = [kind for kind, found in (("NaN", np.isnan(array)), ("infinite", np.isinf(array))) if found.any()]
    what = " or ".join(kinds)
    if array.ndim == 0:
        return what
    bad = np.argwhere(~np.isfinite(array))
    return f"{what} in {len(bad)} of {array.size} entries, the first at {bad[0].tolist()}"


def _precision(e: Evidence, array: np.ndarray) -> str | None:
    """A float array of another dtype, or with float32's numbers in it, is named so only if it is right up to that."""
    if array.dtype != e.dtype and _close(e, array, max(e.limit, SINGLE, 16 * float(np.finfo(array.dtype).eps))):
        return f"has dtype {array.dtype}, should be {e.dtype}"
    if e.dtype == "float64" and in_single(array) and _close(e, array, SINGLE):
        return "holds float32 numbers: it was computed in float32"
    return None


def _equal(e: Evidence, a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> bool:
    """On the scale of the line: a sum over all of it may be zero by mathematics."""
    return a.dtype.kind == "f" and bool(a.any()) and distance(a, b) <= e.limit * max(norm(b), e.scale)


def _close(e: Evidence, array: np.ndarray, within: float) -> bool:
    return distance(array, e.expected) <= within * e.scale
