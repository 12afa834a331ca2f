"""A matplotlib figure as inline SVG that takes its colours and its typeface from the page around it."""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib import style
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

COLORS = {
    "page": "#ffffff",
    "ink": "#1f2328",
    "faint": "#d0d7de",
    "series-1": "#0067a6",
    "series-2": "#c84e00",
    "series-3": "#00805c",
    "series-4": "#a8487f",
    "series-5": "#8a6d00",
}
"""CSS variable -> what it is where a page does not set it. Lightness differs too, for colour-blind readers."""
SERIES = [color for name, color in COLORS.items() if name.startswith("series")]
SIZE = (4.6, 3.2)
"""Inches of a figure that stands beside another."""
MOST_TICKS = 7

STYLE = {
    "svg.fonttype": "none",  # text stays text: it takes the page's typeface, can be selected and is read aloud
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.edgecolor": COLORS["ink"],
    "axes.labelcolor": COLORS["ink"],
    "text.color": COLORS["ink"],
    "xtick.color": COLORS["ink"],
    "ytick.color": COLORS["ink"],
    "grid.color": COLORS["faint"],
    "axes.linewidth": 0.8,
    "legend.frameon": False,
}
NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(name: str, description: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> Markup:
    """Draw a figure of this size in inches and return it as an ``<svg>`` element that scales with its box.

    ``name`` keeps its ids apart from those of the page's other figures; ``description`` is read aloud.
    """
    with style.context(["default", {**STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=NO_METADATA)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # nothing refers to groups, and their ids repeat in every figure
    svg = re.sub(r'^<svg (.*?)width="\S+" height="\S+" ', r"<svg \1", svg)
    for variable, color in COLORS.items():
        svg = svg.replace(color, f"var(--{variable}, {color})")
    label = Markup('<svg role="img" aria-label="{}" ').format(description)
    return Markup(svg.replace("<svg ", label, 1))


def logarithmic(axis: Axis, low: float, high: float, text: Callable[[float], str]) -> None:
    """Set ticks between low and high, each with its text: 1, 2, 5, 10 … or, where those are many, powers of ten."""
    with_ticks(axis, _ticks(low, high), text)


def with_ticks(axis: Axis, ticks: Sequence[int | float], text: Callable[[float], str]) -> None:
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
