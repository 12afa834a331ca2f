"""Which backend to choose, in one sentence: below and above which size, where a sweep measured several.

    Choose numpy below batch 45, jax above.

The backends whose step is not slower than the fastest one's beyond the noise may be chosen. From the smallest size on,
one of them is kept for as long as it may be chosen, so that the sentence names as few as the measurements allow.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradparity.drawing.words import listing
from gradparity_bench.places import full_label, place, spoken, sweep_axis, sweeps
from gradparity_bench.results import Measurement


@dataclass(frozen=True)
class Stretch:
    """Neighbouring points at which one backend may be chosen throughout."""

    points: tuple[Measurement, ...]
    backends: tuple[str, ...]
    """Those that may be chosen at every point, the fastest over all of them first."""


def choices(measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Return a sentence for each line of a sweep, or for each point where nothing is swept.

    Nothing is said where fewer than two backends were timed.
    """
    compared = [m for m in measurements if len(m.timed) > 1]
    axis = sweep_axis([m.point for m in compared])
    if axis is None:
        return tuple(_at_one_point(m) for m in compared)
    said = ((common, _along(list(stretches(line)), axis)) for common, line in sweeps(compared, axis).items())
    return tuple(f"{common}: {sentence}" if common else sentence for common, sentence in said)


def stretches(line: Sequence[Measurement]) -> Iterator[Stretch]:
    """Divide points, in the order of their sizes, into as few stretches as there can be."""
    points: list[Measurement] = []
    kept: list[str] = []
    for m in line:
        own = _fastest(m)
        shared = [name for name in kept if name in own]
        if points and not shared:
            yield _stretch(points, kept)
            points = []
        kept = shared or own
        points.append(m)
    if points:
        yield _stretch(points, kept)


def _stretch(points: Sequence[Measurement], backends: Sequence[str]) -> Stretch:
    def over_all(name: str) -> float:
        return sum(_log_seconds(m, name) for m in points)

    return Stretch(tuple(points), tuple(sorted(backends, key=over_all)))


def _fastest(m: Measurement) -> list[str]:
    """Return the backends that no other one beats beyond the noise."""
    fastest = min(m.timed, key=lambda row: row.seconds() or math.inf).backend
    return [row.backend for row in m.timed if row.backend == fastest or m.verdict(row.backend, fastest) != "slower"]


def _log_seconds(m: Measurement, name: str) -> float:
    return math.log(m.row(name).seconds() or math.inf)


def _at_one_point(m: Measurement) -> str:
    (stretch,) = stretches([m])
    return f"Choose {_named(stretch)} for {full_label(m.point)}."


def _along(found: Sequence[Stretch], axis: str) -> str:
    first, last = (place(stretch.points[end].point)[axis] for stretch, end in ((found[0], 0), (found[-1], -1)))
    if len(found) == 1:
        return f"Choose {_named(found[0])} from {spoken(axis, first)} to {last}."
    turns = [f"{_turn(*pair, axis):,.0f}" for pair in pairwise(found)]
    clauses = [f"{_named(found[0])} below {spoken(axis, turns[0])}"]
    clauses += [f"{_named(stretch)} from there to {end}" for stretch, end in zip(found[1:-1], turns[1:], strict=True)]
    return f"Choose {', '.join([*clauses, f'{_named(found[-1])} above'])}."


def _turn(below: Stretch, above: Stretch, axis: str) -> float:
    """Return the size at which the second becomes the faster one, interpolated between two points on log axes."""
    ends = below.points[-1], above.points[0]
    own, other = above.backends[0], below.backends[0]
    ahead, behind = (_log_seconds(m, own) - _log_seconds(m, other) for m in ends)
    low, high = (math.log(place(m.point)[axis]) for m in ends)
    share = ahead / (ahead - behind) if ahead > 0 > behind else 0.0
    return float(f"{math.exp(low + share * (high - low)):.2g}")


def _named(stretch: Stretch) -> str:
    first, *others = stretch.backends
    return f"{first} ({listing(others)} as fast)" if others else first
