"""Points in words: what a point is called, and along which of its sizes several points differ."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point

Place = dict[str, Any]
"""Name of a size -> its value, for all that makes a point."""


def place(point: Point) -> Place:
    """Return everything that makes a point, one name for each size.

    The ``widths`` of a network whose hidden layers are all alike are its inputs, width, depth and outputs, where
    depth counts affine maps.
    """
    settings = dict(point.settings)
    widths = settings.get("widths")
    hidden = widths[1:-1] if isinstance(widths, tuple) else ()
    if isinstance(widths, tuple) and len(set(hidden)) == 1:
        inputs, *_, outputs = widths
        del settings["widths"]
        settings |= {"inputs": inputs, "width": hidden[0], "depth": len(hidden) + 1, "outputs": outputs}
    run = {"batch_size": point.batch_size, "dtype": point.dtype, "threads": point.threads}
    return {"model": point.model, **settings, **run}


def differing(points: Sequence[Point]) -> list[str]:
    """Return the names of the sizes in which the points differ."""
    places = [place(point) for point in points]
    names = dict.fromkeys(name for each in places for name in each)
    return [name for name in names if len({each.get(name) for each in places}) > 1]


def spoken(name: str, value: Any) -> str:
    """Say one size: "batch 32", "2 threads", "float64", "width 64"."""
    match name:
        case "batch_size":
            return f"batch {value}"
        case "threads":
            return f"{value} thread{'' if value == 1 else 's'}"
        case "model" | "dtype":
            return str(value)
        case _:
            return f"{name.replace('_', ' ')} {spelled(value)}"


def label(point: Point, names: Iterable[str], *, named: bool = True) -> str:
    """Say a point by some of its sizes, on request without their names."""
    at = place(point)
    return ", ".join(spoken(name, at[name]) if named else spelled(at[name]) for name in names if name in at)


def full_label(point: Point) -> str:
    """Say where a point is, by its sizes and how it is run; choices of the model other than sizes are left out."""
    return label(point, ["model", *_sizes(point), "dtype"])


def common_label(points: Sequence[Point]) -> str:
    """Say the sizes, and how it is run, that all points have in common."""
    if not points:
        return ""
    return label(points[0], [name for name in (*_sizes(points[0]), "dtype") if name not in differing(points)])


def sweep_axis(points: Sequence[Point]) -> str | None:
    """Return the number in which the points differ most often: the axis of their curves. None where there is none."""
    values = {name: {place(point).get(name) for point in points} for name in differing(points)}
    numbers = [name for name, own in values.items() if all(isinstance(value, int | float) for value in own)]
    return max(numbers, key=lambda name: len(values[name]), default=None)


def sweeps(measurements: Sequence[Measurement], axis: str) -> Mapping[str, list[Measurement]]:
    """Return the measurements that differ along one axis only, in its order, by what the others have in common."""
    others = [name for name in differing([m.point for m in measurements]) if name != axis]
    found: dict[str, list[Measurement]] = {}
    for m in sorted(measurements, key=lambda m: place(m.point)[axis]):
        found.setdefault(label(m.point, others), []).append(m)
    return found


def spelled(value: Any) -> str:
    """Write a value: 64, tanh, 784–64–10."""
    return "–".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _sizes(point: Point) -> list[str]:
    return [name for name, value in place(point).items() if _is_size(value)]


def _is_size(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_size, value))
    return isinstance(value, int) and not isinstance(value, bool)
