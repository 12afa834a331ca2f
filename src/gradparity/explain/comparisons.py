"""One line's value or gradient from every source, at a few telling places, with the verdict in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Shaped

from gradparity.explain.explanation import HAND, Column, Entries, Verdict
from gradparity.explain.slopes import Slope, Slopes
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import norm
from gradparity.parity.rows import DIFFERENCES, Row
from gradparity.protocol import Trace

GIVEN = "given, for every backward pass starts from ∂L/∂L = 1"
SHOWN = 3
"""Entries of an array that are shown."""

Place = tuple[int, ...]
Array = Shaped[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class Sources:
    """What is compared: the hand derivation's arrays, the machines' and the loss itself."""

    c: Mapping[str, Array]
    """The values that the hand derivation wrote, each line fed the first witness's numbers."""
    d: Mapping[str, Array]
    """The gradients that it wrote, likewise."""
    truths: Mapping[str, Trace]
    """Witness -> its trace."""
    rows: Sequence[Row]
    """The check's own rows of these lines, in float64."""
    slopes: Slopes

    @property
    def machines(self) -> dict[str, Trace]:
        """The traces but that of differences, which have a column of their own and no forward pass of their own."""
        return {witness: trace for witness, trace in self.truths.items() if witness != DIFFERENCES}

    @property
    def first(self) -> Trace:
        """The trace of the first witness, whose numbers the hand derivation is fed."""
        return next(iter(self.truths.values()))


def parameter(value: Array) -> Entries:
    """Show a parameter, which is given."""
    places = _places(value)
    return Entries(
        value.shape, norm(value), places, (Column(HAND, _entries(value, places)),), "not checked", None, "given"
    )


def value(sources: Sources, name: str) -> Entries:
    """Compare the value of a line."""
    truth, own = sources.first.values[name], sources.c.get(name)
    rows = _rows(sources, "value", name)
    wrong = [row for row in rows if not row.agrees]
    places = _places(truth, own if wrong else None)
    machines = {witness: trace.values[name] for witness, trace in sources.machines.items()}
    columns = tuple(Column(source, _entries(array, places)) for source, array in {HAND: own, **machines}.items())
    verdict: Verdict = "different" if wrong else "same to rounding" if machines else "not checked"
    reason = _reason(wrong) or ("" if machines else "no other forward pass is here")
    return Entries(truth.shape, norm(truth), places, columns, verdict, _error(rows) if machines else None, reason)


def gradient(sources: Sources, name: str) -> Entries | None:
    """Compare the gradient of a line or a parameter; None where it has none."""
    if name not in sources.first.gradients:
        return None
    truth, own = sources.first.gradients[name], sources.d.get(name)
    given = name == "loss" and own is None
    rows = [] if given else _rows(sources, "gradient", name)
    wrong = [row for row in rows if not row.agrees]
    places = _places(truth, own if wrong else None)
    slopes = [sources.slopes.at(name, place) if sources.slopes.can_move(name) else None for place in places]
    machines = {witness: trace.gradients[name] for witness, trace in sources.machines.items()}
    shown = {HAND: np.ones(()) if given else own, **machines}
    columns = [Column(source, _entries(array, places)) for source, array in shown.items()]
    columns.append(Column(DIFFERENCES, tuple(None if slope is None else slope.value for slope in slopes)))
    verdict, note = _judge(sources, name, wrong, places, slopes) if not given else ("not checked", GIVEN)
    return Entries(truth.shape, norm(truth), places, tuple(columns), verdict, _error(rows), note)


def _judge(
    sources: Sources, name: str, wrong: Sequence[Row], places: Sequence[Place], slopes: Sequence[Slope | None]
) -> tuple[Verdict, str]:
    """Say whether a gradient is the same, and where it is not, why."""
    own = sources.d.get(name)
    if wrong:
        differing = [_differing(own, sources.truths[row.witness].gradients[name]) for row in wrong]
        if own is not None and all(
            mask is not None and _all_at_kinks(sources.slopes, name, mask) for mask in differing
        ):
            count = int(np.count_nonzero(np.any([mask for mask in differing if mask is not None], axis=0)))
            return "kink convention", f"{count} of {own.size} entries differ, each where the loss has no derivative"
        return "different", _reason(wrong)
    if own is None:
        return "not checked", "the derivation writes no such gradient, and needs none"
    for place, slope in zip(places, slopes, strict=True):
        if slope is not None and not _fits(slope, float(own[place]), own):
            return (
                "different",
                f"the loss itself changes by {slope.value:.6g} at {list(place)}, not by {own[place]:.6g}",
            )
    kinks = [str(list(place)) for place, slope in zip(places, slopes, strict=True) if slope is None]
    if kinks and sources.slopes.can_move(name):
        return "same to rounding", f"the loss has no derivative at {', '.join(kinks)}: both follow the same convention"
    return "same to rounding", ""


def _fits(slope: Slope, entry: float, array: Array) -> bool:
    return abs(slope.value - entry) <= slope.accuracy + FLOAT64_LIMIT * norm(array)


def _differing(own: Array | None, truth: Array) -> Bool[np.ndarray, "..."] | None:
    """Return which entries differ by more than rounding; None where that cannot be said entry by entry."""
    if own is None or own.shape != truth.shape or not np.isfinite(own).all():
        return None
    return np.asarray(np.abs(own - truth) > FLOAT64_LIMIT * norm(truth) / np.sqrt(max(truth.size, 1)))


def _all_at_kinks(slopes: Slopes, name: str, differing: Bool[np.ndarray, "..."]) -> bool:
    places = [tuple(map(int, place)) for place in np.argwhere(differing)]
    return bool(places) and slopes.can_move(name) and all(slopes.at(name, place) is None for place in places)


def _places(truth: Array, wrong: Array | None = None) -> tuple[Place, ...]:
    """Choose the entries to show: the most wrong one, then the largest in size, the median and the smallest."""
    if truth.ndim == 0:
        return ((),)
    order = np.argsort(-np.abs(truth.astype(np.float64)), axis=None, kind="stable")
    chosen = [order[0], order[len(order) // 2], order[-1]] if truth.size else []
    if wrong is not None and wrong.shape == truth.shape:
        chosen.insert(0, np.argmax(np.abs(np.nan_to_num(wrong - truth, nan=np.inf))))
    flat = list(dict.fromkeys(map(int, chosen)))[:SHOWN]
    return tuple(tuple(map(int, np.unravel_index(index, truth.shape))) for index in flat)


def _entries(array: Array | None, places: Sequence[Place]) -> tuple[float | None, ...]:
    if array is None or any(len(place) != array.ndim for place in places):
        return (None,) * len(places)
    inside = [all(i < size for i, size in zip(place, array.shape, strict=True)) for place in places]
    found = [float(array[place]) if there else np.nan for place, there in zip(places, inside, strict=True)]
    return tuple(entry + 0.0 if np.isfinite(entry) else None for entry in found)  # no −0


def _rows(sources: Sources, kind: Literal["value", "gradient"], name: str) -> list[Row]:
    return [row for row in sources.rows if (row.kind, row.line) == (kind, name)]


def _error(rows: Sequence[Row]) -> float | None:
    error = max((row.error for row in rows), default=np.inf)
    return float(error) if np.isfinite(error) else None


def _reason(wrong: Sequence[Row]) -> str:
    return next((row.diagnosis or row.note for row in wrong if row.diagnosis or row.note), "")
