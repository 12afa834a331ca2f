"""How far two arrays are apart: norm-wise, never element by element, and never with a floor that lets zero pass."""

import numpy as np
from jaxtyping import Shaped

SINGLE = 2e-6
"""The relative error that float32 leaves in a right result."""
ZERO = 1e-10
"""A gradient this much smaller than its upstream gradient is zero by mathematics: only rounding is left."""

FAR = 1e6
"""Entries that many times the median, -1e9 where a mask was, say nothing about the size of a step."""

SMALLEST_SQUARE = 1e-250
"""A sum of squares below this may have lost some to underflow."""


def norm(a: Shaped[np.ndarray, "..."]) -> float:
    """‖a‖₂ over all entries in float64, scaled where squares would overflow or underflow; not finite where a is not."""
    flat = a.ravel().astype(np.float64, copy=False)
    with np.errstate(over="ignore", under="ignore"):
        square = float(np.vdot(flat, flat))
    if SMALLEST_SQUARE < square < np.inf:
        return float(np.sqrt(square))
    top = float(np.max(np.abs(a), initial=0.0))
    if top == 0.0 or not np.isfinite(top):
        return top
    return top * float(np.linalg.norm(flat / top))


def typical_size(a: Shaped[np.ndarray, "..."]) -> float:
    """Return the root mean square of the finite entries, or 1 where all are zero: how large a change is."""
    finite = a[np.isfinite(a)]
    return norm(finite) / float(np.sqrt(max(finite.size, 1))) or 1.0


def usual_size(a: Shaped[np.ndarray, "..."]) -> float:
    """Return the typical size of an array's entries, without those that are far larger than most: -1e9 in a mask."""
    entries = np.abs(a[np.isfinite(a) & (a != 0)])
    return typical_size(entries[entries <= FAR * np.median(entries)]) if entries.size else typical_size(a)


def distance(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."]) -> float:
    """‖a − b‖₂ in float64; infinite where either holds a NaN or an infinity, or the shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        found = norm(np.asarray(a.astype(np.float64, copy=False) - b.astype(np.float64, copy=False)))
    return found if np.isfinite(found) else float("inf")


def relative_error(a: Shaped[np.ndarray, "..."], b: Shaped[np.ndarray, "..."], upstream: float = 0.0) -> float:
    """‖a − b‖₂ / ‖b‖₂, where b is the witness; infinite for NaN, infinity and different shapes.

    Where b is zero by mathematics, that is, below ``ZERO`` times the norm of its ``upstream`` gradient, the
    error is taken on the scale of that upstream gradient.
    """
    difference = distance(a, b)
    if difference == 0.0 or difference == float("inf"):
        return difference
    size = norm(b)
    scale = upstream if size <= ZERO * upstream else size
    return difference / scale if scale > 0.0 else float("inf")


def in_single(a: Shaped[np.ndarray, "..."]) -> bool:
    """Whether an array holds numbers of float32 alone."""
    with np.errstate(over="ignore"):
        return a.dtype.kind == "f" and bool(a.any()) and bool((a.astype(np.float64) == a.astype(np.float32)).all())
