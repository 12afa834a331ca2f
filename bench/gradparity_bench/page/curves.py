"""Ratios of one point as intervals, and over the sizes of a sweep as curves: seconds, and ratios."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradparity.drawing.svg import COLORS, SIZE, inline_svg, logarithmic, with_ticks
from gradparity.timing import Ratio
from gradparity_bench import words
from gradparity_bench.crossover import Crossover
from gradparity_bench.page.looks import Looks, legend
from gradparity_bench.places import place
from gradparity_bench.results import Measurement

WIDE = 4.6
MOST_SIZES = 8
"""Sizes of a sweep that are written on the axis, each; where there are more, round numbers are."""


def ratio_intervals(name: str, m: Measurement, looks: Looks) -> Markup:
    """Draw each timed backend's ratio to the baseline, its confidence interval, and the noise floor as a band."""
    base = m.baseline.backend if m.baseline else ""
    rows = [(row.backend, ratio) for row in m.timed if row.backend != base and (ratio := m.ratio(row.backend))]
    floor = m.noise_floor() or 1.0
    low = min([0.8 / floor, *(0.3 * ratio.low for _, ratio in rows if ratio.value < 1)])
    high = max([1.25 * floor, *(2.0 * ratio.high for _, ratio in rows if ratio.value >= 1)])

    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        axes.set_xscale("log")
        axes.axvspan(1 / floor, floor, color=COLORS["faint"], linewidth=0, alpha=0.6)
        axes.axvline(1.0, color=COLORS["ink"], linewidth=0.8, linestyle=(0, (2, 2)))
        for i, (backend, ratio) in enumerate(rows):
            look = looks[backend]
            axes.plot([ratio.low, ratio.high], [i, i], color=look.color, linewidth=4, alpha=0.45, solid_capstyle="butt")
            axes.plot(ratio.value, i, **look.dot)
            # Beside the end that is farther from 1, so that it keeps clear of the band.
            end, offset, side = (ratio.low, -8, "right") if ratio.value < 1 else (ratio.high, 8, "left")
            text = words.times(ratio.value)
            axes.annotate(text, (end, i), (offset, 0), textcoords="offset points", va="center", ha=side)
        axes.set_yticks(range(len(rows)), [backend for backend, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(low, high)
        logarithmic(axes.xaxis, low, high, lambda x: f"{x:g}")
        axes.set_xlabel(f"training step, {base} = 1 (log scale)")
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")

    said = ", ".join(f"{backend} {words.times(ratio.value)}" for backend, ratio in rows)
    description = f"Training step as a multiple of {base}'s with its 95% confidence interval: {said}"
    return inline_svg(name, description, (WIDE, 0.8 + 0.36 * max(1, len(rows))), draw)


def seconds_curves(
    name: str, line: Sequence[Measurement], axis: str, looks: Looks, crossovers: Mapping[str, Crossover]
) -> Markup:
    """Draw a step's seconds over the sizes of a sweep, both logarithmic, with a star at each backend's crossover."""

    def draw(figure: Figure) -> None:
        axes = _size_axes(figure, line, axis)
        axes.set_yscale("log")
        shown: list[float] = []
        for backend, look in looks.items():
            at = [(place(m.point)[axis], s) for m in line if (s := _seconds(m, backend)) is not None]
            if not at:
                continue
            sizes, seconds = zip(*at, strict=True)
            shown += seconds
            axes.plot(sizes, seconds, linewidth=1.6, linestyle=look.line, **look.dot)
            found = crossovers.get(backend)
            if found is not None and found.size is not None:
                turning = np.exp(np.interp(np.log(found.size), np.log(sizes), np.log(seconds)))
                axes.plot(found.size, turning, "*", color=look.color, markersize=13, markeredgecolor=COLORS["ink"])
        low, high = 0.7 * min(shown), 1.4 * max(shown)
        axes.set_ylim(low, high)
        logarithmic(axes.yaxis, low, high, words.round_seconds)
        axes.set_ylabel("training step (log scale)")
        legend(figure, looks)

    description = f"Seconds of a training step over {axis.replace('_', ' ')}, for {', '.join(looks)}"
    return inline_svg(name, description, (WIDE, SIZE[1] + 0.5), draw)


def ratio_curves(name: str, line: Sequence[Measurement], axis: str, looks: Looks) -> Markup:
    """Draw each backend's ratio to the baseline over the sizes, with intervals, and the noise floor as a band."""
    base = next((m.baseline.backend for m in line if m.baseline), "")
    sizes = [place(m.point)[axis] for m in line]
    floors = [m.noise_floor() or 1.0 for m in line]

    def draw(figure: Figure) -> None:
        axes = _size_axes(figure, line, axis)
        axes.set_yscale("log")
        axes.fill_between(sizes, [1 / f for f in floors], floors, color=COLORS["faint"], linewidth=0, alpha=0.6)
        ends = [1 / max(floors), max(floors)]
        for backend, look in looks.items():
            at = [(size, r) for size, m in zip(sizes, line, strict=True) if (r := _ratio(m, backend, base)) is not None]
            if backend == base or not at:
                continue
            ends += [end for _, r in at for end in (r.low, r.high)]
            middle = [r.value for _, r in at]
            below, above = [r.value - r.low for _, r in at], [r.high - r.value for _, r in at]
            axes.errorbar(
                [size for size, _ in at],
                middle,
                yerr=(below, above),
                linewidth=1.6,
                elinewidth=1.2,
                linestyle=look.line,
                **look.dot,
            )
        axes.axhline(1.0, color=COLORS["ink"], linewidth=0.8, linestyle=(0, (2, 2)))
        low, high = 0.85 * min(ends), 1.2 * max(ends)
        axes.set_ylim(low, high)
        logarithmic(axes.yaxis, low, high, lambda y: f"{y:g}×")
        axes.set_ylabel(f"ratio to {base} (log scale)")
        legend(figure, {backend: look for backend, look in looks.items() if backend != base})

    description = f"Training step as a multiple of {base}'s over {axis.replace('_', ' ')}, for {', '.join(looks)}"
    return inline_svg(name, description, (WIDE, SIZE[1] + 0.5), draw)


def _size_axes(figure: Figure, line: Sequence[Measurement], axis: str) -> Axes:
    sizes = sorted({place(m.point)[axis] for m in line})
    axes: Axes = figure.subplots()
    axes.set_xscale("log")
    low, high = 0.8 * sizes[0], 1.25 * sizes[-1]
    axes.set_xlim(low, high)
    if len(sizes) <= MOST_SIZES:
        with_ticks(axes.xaxis, sizes, lambda x: f"{x:g}")
    else:
        logarithmic(axes.xaxis, low, high, lambda x: f"{x:g}")
    axes.set_xlabel(f"{axis.replace('_', ' ')} (log scale)")
    return axes


def _seconds(m: Measurement, backend: str) -> float | None:
    return next((row.seconds() for row in m.timed if row.backend == backend), None)


def _ratio(m: Measurement, backend: str, base: str) -> Ratio | None:
    timed = {row.backend for row in m.timed}
    return m.ratio(backend, base) if {backend, base} <= timed else None
