"""The curves and intervals of the page, each an inline SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from gradparity.drawing.svg import COLORS, SERIES, SIZE, inline_svg, logarithmic, with_ticks
from gradparity.drawing.words import power
from gradparity.parity.training_parity import TrainingParity
from gradparity.protocol import Dtype

MARKERS = "osD^vPX"
DASH = 4.0
"""Length of a dash, in line widths."""

COLUMNS = 3
"""Entries of a legend beside each other."""


def curves(name: str, ylabel: str, series: Mapping[str, Sequence[float]]) -> Markup:
    """Draw a curve per backend over the epochs, so that curves on top of each other can all be seen.

    Dashes take turns: curves that coincide look like a rope of all their colours. Markers are hollow and nested.
    """

    def draw(figure: Figure) -> None:
        axes = _epoch_axes(figure, ylabel, max(map(len, series.values())))
        for i, values in enumerate(series.values()):
            _curve(axes, values, i, len(series))
        _legend(figure, list(series))

    description = f"{ylabel} after each epoch, a curve for each of {', '.join(series)}"
    return inline_svg(name, description, SIZE, draw)


def differences(reference: str, series: Mapping[str, Sequence[float]]) -> Markup:
    """Draw differences from the reference on a logarithmic axis, with zero on a line of its own at the bottom.

    At least one difference must be above zero.
    """
    positive = [d for values in series.values() for d in values if d > 0]
    low, high = int(np.floor(np.log10(min(positive)))), int(np.ceil(np.log10(max(positive))))
    zero = 10.0 ** (low - 1)
    high = max(high, low + 1)

    def draw(figure: Figure) -> None:
        axes = _epoch_axes(figure, f"largest difference from {reference}", max(map(len, series.values())))
        axes.set_yscale("log")
        for i, values in enumerate(series.values()):
            _curve(axes, [d or zero for d in values], i, len(series), first=1)
        exponents = range(low, high + 1, max(1, (high - low) // 5))
        with_zero = [zero] * (len(positive) < sum(map(len, series.values())))
        axes.set_ylim((zero if with_zero else 10.0**low) * 0.6, 10.0**high * 1.7)
        ticks = [*with_zero, *(10.0**e for e in exponents)]
        with_ticks(axes.yaxis, ticks, lambda y: _decade(y) if y > zero * 1.01 else "0")
        _legend(figure, list(series), first=1)

    description = f"Largest difference of any parameter from {reference} after each epoch, for {', '.join(series)}"
    return inline_svg("differences", description, SIZE, draw)


def drift(training: TrainingParity, lane: Dtype) -> Markup:
    """Draw each backend's distance from the truth over the steps, both logarithmic, beside what rounding explains.

    A distance of zero, and one that is not finite, has no place on a logarithmic axis and is left out.
    """
    series, steps = training.distances[lane], range(1, training.steps + 1)
    shown = [v for values in (*series.values(), training.budgets[lane]) for v in values if 0.0 < v < np.inf]
    low, high = (int(np.floor(np.log10(v))) for v in (min(shown, default=1.0), max(shown, default=1.0)))
    decades = [10.0**e for e in range(low, high + 2, max(1, (high - low) // 5))]

    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.6 * min(shown, default=1.0), 1.7 * max(shown, default=1.0))
        axes.set_xlabel("steps")
        axes.set_ylabel(f"distance, {lane}")
        for name, values in series.items():
            look = _look(training.backends.index(name))
            axes.plot(steps, _positive(values), linewidth=1.8, markersize=5, markevery=_markers(training.steps), **look)
        axes.plot(steps, _positive(training.budgets[lane]), color=COLORS["ink"], linestyle=":", linewidth=1.8)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        with_ticks(axes.yaxis, decades, _decade)
        handles = [Line2D([], [], label=name, **_look(training.backends.index(name))) for name in series]
        handles.append(Line2D([], [], label="rounding explains", color=COLORS["ink"], linestyle=":"))
        # As many rows as the lane with most curves needs, so that the axes of all lanes stand at one height.
        most = max(map(len, training.distances.values())) + 1
        blank = Line2D([], [], label=" ", linestyle="none")
        handles += [blank] * (most // COLUMNS * COLUMNS + 1 - len(handles) if most % COLUMNS else 0)
        figure.legend(handles=handles, loc="outside upper left", ncols=COLUMNS, handlelength=2.2)

    description = f"Distance from {training.truth}'s float64 run in {lane} over the steps, for {', '.join(series)}"
    return inline_svg(f"drift-{lane}", description, SIZE, draw)


def _positive(values: Sequence[float]) -> list[float]:
    return [v if 0.0 < v < np.inf else np.nan for v in values]


def _markers(steps: int) -> list[int]:
    """Mark the curve at steps that are evenly spread on a logarithmic axis."""
    return sorted({round(step) - 1 for step in np.geomspace(1, steps, 8)})


def intervals(base: str, ratios: Mapping[str, tuple[float, float, float]]) -> Markup:
    """Draw each backend's ratio and the ends of its confidence interval as a dot on an interval."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(1.0, color=COLORS["ink"], linewidth=0.8, linestyle=(0, (2, 2)))
        for i, (ratio, lower, upper) in enumerate(ratios.values()):
            color = SERIES[i % len(SERIES)]
            axes.plot([lower, upper], [i, i], color=color, linewidth=4, alpha=0.45, solid_capstyle="butt")
            axes.plot(ratio, i, MARKERS[i % len(MARKERS)], color=color, markersize=6)
            axes.annotate(f"{ratio:.2f}×", (upper, i), (8, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(ratios)), list(ratios))
        axes.set_ylim(len(ratios) - 0.5, -0.5)
        low = min(0.8, *(lower / 1.2 for _, lower, _ in ratios.values()))
        high = max(2.5, *(upper * 2.0 for _, _, upper in ratios.values()))
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        logarithmic(axes.xaxis, low, high, lambda x: f"{x:g}")
        axes.set_xlabel(f"training step, {base} = 1 (log scale)")
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")

    description = f"Duration of a training step as a multiple of {base}'s, with its 95% confidence interval"
    return inline_svg("timing", description, (SIZE[0], 0.7 + 0.35 * len(ratios)), draw)


def _epoch_axes(figure: Figure, ylabel: str, epochs: int) -> Axes:
    axes: Axes = figure.subplots()
    axes.set_xlabel("epoch")
    axes.set_ylabel(ylabel)
    axes.set_xlim(0.5, epochs + 0.5)
    axes.margins(y=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return axes


def _curve(axes: Axes, values: Sequence[float], i: int, count: int, first: int = 0) -> None:
    """Draw the i-th of ``count`` curves: its dash follows the one before, its marker lies inside the one before.

    ``first`` is the backend that the 0-th curve belongs to: a backend looks the same in every figure.
    """
    gap = DASH * (count - 1)
    axes.plot(
        range(1, len(values) + 1),
        values,
        linewidth=1.8,
        linestyle=(-DASH * i, (DASH, gap)) if gap else "solid",
        markersize=3.5 + 2 * (count - 1 - i),
        markevery=max(1, len(values) // 10),
        **_look(first + i),
    )


def _legend(figure: Figure, backends: Sequence[str], first: int = 0) -> None:
    handles = [Line2D([], [], label=backend, **_look(i)) for i, backend in enumerate(backends, start=first)]
    figure.legend(handles=handles, loc="outside upper left", ncols=COLUMNS, handlelength=2.2)


def _look(i: int) -> dict[str, Any]:
    """Colour and marker of the i-th backend."""
    return {
        "color": SERIES[i % len(SERIES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markerfacecolor": "none",
        "markeredgewidth": 1.2,
    }


def _decade(y: float) -> str:
    return f"10{power(round(np.log10(y)))}"
