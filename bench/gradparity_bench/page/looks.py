"""How every figure looks: a backend's colour is its library, its marker and line how it derives; axes can be read.

Logarithmic axes have ticks at 1, 2, 5, and labels with units.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from gradparity.drawing.svg import COLORS, SERIES
from gradparity_bench.results import Measurement

MOST_TICKS = 7
MARKERS = {"hand": "os^", "machine": "DvPX"}
LINES: dict[str, Literal["-", "--"]] = {"hand": "-", "machine": "--"}


class Look(NamedTuple):
    """Colour, marker and line of a backend; by hand filled and solid, by machine hollow and dashed."""

    color: str
    marker: str
    line: Literal["-", "--"]
    filled: bool

    @property
    def dot(self) -> dict[str, Any]:
        """Return what matplotlib's ``plot`` takes for a marker without its line."""
        # A hollow one hides the interval that it stands on.
        face = self.color if self.filled else COLORS["page"]
        return {"color": self.color, "marker": self.marker, "markerfacecolor": face, "markersize": 6}


Looks = dict[str, Look]


def looks(measurements: Sequence[Measurement]) -> Looks:
    """Give each timed backend its look, the same in all figures of a page."""
    rows = {row.backend: row for m in measurements for row in m.timed}
    libraries = list(dict.fromkeys(row.library for row in rows.values()))
    found: Looks = {}
    used: dict[tuple[str, str], int] = {}
    for name, row in rows.items():
        method = row.differentiation or "machine"
        count = used.get((row.library, method), 0)
        used[row.library, method] = count + 1
        color = SERIES[libraries.index(row.library) % len(SERIES)]
        markers = MARKERS[method]
        found[name] = Look(color, markers[count % len(markers)], LINES[method], method == "hand")
    return found


def legend(figure: Figure, looks: Looks) -> None:
    """Put the backends above the axes."""
    handles = [Line2D([], [], label=backend, linestyle=look.line, **look.dot) for backend, look in looks.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, handlelength=2.2, columnspacing=1.0)


def logarithmic(axis: Axis, low: float, high: float, text: Callable[[float], str]) -> None:
    """Set ticks between low and high, each with its text: 1, 2, 5, 10 … or, where those are many, powers of ten."""
    named(axis, _ticks(low, high), text)


def named(axis: Axis, ticks: Sequence[int | float], text: Callable[[float], str]) -> None:
    """Set these ticks and no others, each with its text."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def _ticks(low: float, high: float) -> list[float]:
    for digits, every in (((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1, every)
        found = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [tick for tick in found if low <= tick <= high]
        if len(inside) <= MOST_TICKS:
            return inside
    return inside
