"""How every figure looks: a backend's colour is its library, its marker and line how it derives."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gradparity.drawing.svg import COLORS, SERIES
from gradparity_bench.results import Measurement

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
