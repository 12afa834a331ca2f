"""A model's computation graph as boxes and lines: givens on top, the loss at the bottom.

The order of the forward pass already says in which row a node stands, so a layered drawing takes these few lines, and
no library of graphs that would otherwise not be needed. matplotlib draws plots; nodes that can be reached by keyboard
and link into the page are a template's job, so what is computed here are positions only, in pixels.

Source: K. Sugiyama, S. Tagawa, M. Toda, Methods for Visual Understanding of Hierarchical System Structures (1981):
rows by longest path, a lane of its own for an edge that passes a row, and each row in the order of its neighbours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TypeAlias

from gradparity.explain import Edge

Point: TypeAlias = tuple[float, float]
Lane: TypeAlias = tuple[Edge, int]
"""An edge where it passes a row."""
Place: TypeAlias = str | Lane

HEIGHT = 46.0
ROW = 84.0
"""From the top of one row to the top of the next."""
GAP = 14.0
LANE = 4.0
"""The width of a lane."""
LETTER = 8.5
"""The width of a letter of a name, at 14 pixels in a typeface of fixed width."""
PADDING = 20.0
NARROWEST = 68.0
"""The width of a box that holds a shape of two numbers."""
MARGIN = 4.0
SWEEPS = 3


@dataclass(frozen=True)
class Box:
    """A node: its name, the top of its middle, and how wide it is."""

    name: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Curve:
    """An edge, from the bottom of its source to the top of its target, as segments from point to point."""

    edge: Edge
    segments: tuple[tuple[Point, Point], ...]


@dataclass(frozen=True)
class Drawing:
    """Boxes of one height, and the curves between them."""

    width: float
    height: float
    box_height: float
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]


def drawn_graph(names: Sequence[str], edges: Sequence[Edge]) -> Drawing:
    """Lay a graph out: ``names`` in the order of the forward pass, each edge's source before its target."""
    row = _rows(names, edges)
    routes = {edge: _route(edge, row) for edge in edges}
    places: list[list[Place]] = [[name for name in names if row[name] == r] for r in range(max(row.values()) + 1)]
    for route in routes.values():
        for place in route[1:-1]:
            places[_row(place, row)].append(place)
    x = _columns(places, [pair for route in routes.values() for pair in pairwise(route)])
    left = min(x[name] - _width(name) / 2 for name in names) - MARGIN
    right = max(x[name] + _width(name) / 2 for name in names) + MARGIN
    return Drawing(
        right - left,
        _top(max(row.values())) + HEIGHT + MARGIN,
        HEIGHT,
        tuple(Box(name, x[name] - left, _top(row[name]), _width(name)) for name in names),
        tuple(Curve(edge, _segments([(x[p] - left, p) for p in route], row)) for edge, route in routes.items()),
    )


def _rows(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return a row for each name: below what it is computed from; what is given, right above its first reader."""
    reads = {name: [edge.source for edge in edges if edge.target == name] for name in names}
    row: dict[str, int] = {}
    for name in names:
        if reads[name]:
            row[name] = 1 + max((row[source] for source in reads[name] if reads[source]), default=0)
    for name in names:
        row.setdefault(name, min((row[edge.target] for edge in edges if edge.source == name), default=1) - 1)
    return row


def _route(edge: Edge, row: Mapping[str, int]) -> list[Place]:
    return [edge.source, *((edge, r) for r in range(row[edge.source] + 1, row[edge.target])), edge.target]


def _row(place: Place, row: Mapping[str, int]) -> int:
    return row[place] if isinstance(place, str) else place[1]


def _width(place: Place) -> float:
    return max(LETTER * len(place) + PADDING, NARROWEST) if isinstance(place, str) else LANE


def _top(row: int) -> float:
    return MARGIN + row * ROW


def _columns(places: Sequence[list[Place]], pairs: Iterable[tuple[Place, Place]]) -> dict[Place, float]:
    """Return the middle of every place; the order within the rows follows the rows above, then those below."""
    above: dict[Place, list[Place]] = {place: [] for row in places for place in row}
    below: dict[Place, list[Place]] = {place: [] for row in places for place in row}
    for upper, lower in pairs:
        above[lower].append(upper)
        below[upper].append(lower)
    x: dict[Place, float] = {}
    for row in places:
        row[:] = _around([place for place in row if above[place]], [place for place in row if not above[place]])
        _pack(row, above, x)
    for neighbours, rows in SWEEPS * ((below, places[::-1]), (above, places)):
        for row in rows:
            wanted = {place: _middle(neighbours[place], x, x[place]) for place in row}
            row.sort(key=wanted.__getitem__)
            _pack(row, neighbours, x)
    return x


def _around(computed: list[Place], given: list[Place]) -> list[Place]:
    """Put what is given on both sides of what is computed, so that a chain of steps is a straight line."""
    half = len(given) // 2
    return [*given[:half], *computed, *given[half:]]


def _pack(row: Sequence[Place], neighbours: Mapping[Place, Sequence[Place]], x: dict[Place, float]) -> None:
    """Set the places of a row side by side, as near to the middle of their neighbours as that allows."""
    end = 0.0
    packed: dict[Place, float] = {}
    for place in row:
        packed[place] = end + _width(place) / 2
        end += _width(place) + GAP
    joined = [place for place in row if neighbours[place]]
    shift = fmean(_middle(neighbours[p], x, 0.0) - packed[p] for p in joined) if joined else -fmean(packed.values())
    x.update((place, middle + shift) for place, middle in packed.items())


def _middle(neighbours: Sequence[Place], x: Mapping[Place, float], otherwise: float) -> float:
    return fmean(x[place] for place in neighbours) if neighbours else otherwise


def _segments(route: Sequence[tuple[float, Place]], row: Mapping[str, int]) -> tuple[tuple[Point, Point], ...]:
    points: list[Point] = []
    for x, place in route:
        top = _top(_row(place, row))
        points += [(x, top), (x, top + HEIGHT)]
    return tuple(pairwise(points[1:-1]))
