"""Kinks: where a function has no derivative, how close the numbers come to them, and what rounding does there.

A spec may declare its kinks in an optional property, from the name of a line to what is applied to that line:

    kinks = {"z1": "relu", "windows": "max"}

"relu" is max(z, 0), entry by entry, with a kink at 0 (and by convention ReLU'(0) = 0); "max" is the maximum along
the last axis, with a kink where two entries tie. Of a spec that declares none there is no census.

The *mask* of a line says on which side of the kink each entry is: the entries of z above 0, or the largest along
the last axis. A gradient jumps where a mask changes. So two right backends can differ there, because rounding puts
an entry on different sides of its kink.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Num

from gradparity.errors import unknown
from gradparity.parity.norms import norm
from gradparity.protocol import Array

Kink: TypeAlias = Literal["relu", "max"]
Kinks: TypeAlias = Mapping[str, Kink]
"""Line -> what is applied to it."""
Masks: TypeAlias = Mapping[str, Bool[np.ndarray, "..."]]
"""Line -> on which side of its kink each entry is."""

NEAR = 4
"""Units in the last place of the largest entry: nearer than that to a kink, rounding decides the side."""


@dataclass(frozen=True)
class KinkCount:
    """How close one line of a trace comes to its kink."""

    line: str
    kink: Kink
    decisions: int
    """Entries for "relu", maxima for "max"."""
    at: int
    """Exactly at the kink: the convention decides the gradient."""
    near: int
    """Not at it, but within NEAR units in the last place of the line's largest entry."""


@dataclass(frozen=True)
class Flips:
    """Entries of one line that two traces have on different sides of the kink."""

    line: str
    count: int
    distance: float
    """How far ‖·‖₂ the witness's line is from the farthest of these kinks, relative to ‖line‖₂. A line whose relative
    error is smaller than this cannot have crossed that kink by rounding."""


def kinks_of(spec: Any) -> Kinks:
    """Return the kinks that a spec declares. Raises UsageError for a kink of unknown kind."""
    declared: Kinks = getattr(spec, "kinks", {})
    for kind in declared.values():
        if kind not in _MASK:
            raise unknown("kind of kink", str(kind), _MASK)
    return declared


def masks(kinks: Kinks, values: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """Return the mask of every line that has a kink, in the shape of its value.

    Raises UsageError where a line with a kink has no value.
    """
    return {line: _MASK[kink](np.asarray(_value(line, values))) for line, kink in kinks.items()}


def same(a: Masks, b: Masks) -> bool:
    """Whether two sets of masks are equal."""
    return all(np.array_equal(mask, b[line]) for line, mask in a.items())


def census(kinks: Kinks, values: Mapping[str, np.ndarray]) -> list[KinkCount]:
    """Count, for every line that has a kink, the entries at it and near it, in the precision of ``values``.

    Raises UsageError where a line with a kink has no value.
    """
    counts = []
    for line, kink in kinks.items():
        value = _value(line, values)
        gap = np.abs(value) if kink == "relu" else _lead(value)
        few_ulps = NEAR * float(np.finfo(value.dtype).eps) * float(np.max(np.abs(value), initial=0.0))
        at = int(np.count_nonzero(gap == 0))
        counts.append(KinkCount(line, kink, gap.size, at, int(np.count_nonzero(gap <= few_ulps)) - at))
    return counts


def flips(kinks: Kinks, values: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> list[Flips]:
    """Return, for every line where a subject's masks differ from the witness's, how many entries do and how far.

    Raises UsageError where a line with a kink has no value.
    """
    found = []
    subject, witness = masks(kinks, values), masks(kinks, truth)
    for line, kink in kinks.items():
        differ = subject[line] != witness[line]
        if differ.any():
            distance = float(np.max(_DISTANCE[kink](truth[line])[differ]))
            size = norm(truth[line])
            found.append(Flips(line, int(np.count_nonzero(differ)), distance / size if size > 0 else 0.0))
    return found


def _value(line: str, values: Mapping[str, Array]) -> Array:
    if line not in values:
        raise unknown("line in kinks", line, values)
    return values[line]


def _lead(z: Float[np.ndarray, "*rows n"]) -> Float[np.ndarray, "*rows"]:
    """How far the largest entry along the last axis is above the second largest; infinite where it is alone."""
    if z.shape[-1] < 2:
        return np.full(z.shape[:-1], np.inf)
    top = np.partition(z, -2, axis=-1)
    return np.asarray(top[..., -1] - top[..., -2])


def _largest(z: Num[np.ndarray, "*rows n"]) -> Bool[np.ndarray, "*rows n"]:
    return np.asarray(z == np.max(z, axis=-1, keepdims=True))


def _below_largest(z: Float[np.ndarray, "*rows n"]) -> Float[np.ndarray, "*rows n"]:
    # Two entries meet halfway: the nearest tie is 1/√2 of their difference away.
    return np.asarray((np.max(z, axis=-1, keepdims=True) - z) / np.sqrt(2))


_MASK: dict[str, Callable[[np.ndarray], np.ndarray]] = {"relu": lambda z: np.asarray(z > 0), "max": _largest}
_DISTANCE: dict[str, Callable[[np.ndarray], np.ndarray]] = {"relu": np.abs, "max": _below_largest}
