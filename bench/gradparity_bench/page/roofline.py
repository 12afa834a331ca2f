"""The roofline: what this machine could do at best, and how near each backend's step comes.

S. Williams, A. Waterman and D. Patterson, Roofline, CACM 52(4), 2009.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gradparity.drawing.svg import COLORS, SIZE, inline_svg, logarithmic
from gradparity_bench import words
from gradparity_bench.page.curves import WIDE
from gradparity_bench.page.looks import Looks, legend
from gradparity_bench.places import differing, label
from gradparity_bench.results import Measurement

MOST_LABELLED = 8
"""Points that have their size written below their markers."""


def roofline(name: str, measurements: Sequence[Measurement], looks: Looks) -> Markup | None:
    """Draw operations a second over operations a byte, the roof from the measured limits; None where there are none.

    All measurements have the same dtype and threads, and so one roof: the median of theirs.
    """
    limits = [m.limits for m in measurements if m.limits is not None]
    at = [
        (row.backend, m.flops / m.bytes, m.flops / seconds)
        for m in measurements
        for row in m.timed
        if (seconds := row.seconds())
    ]
    if not limits or not at:
        return None
    peak = float(np.median([limit.peak_flops for limit in limits]))
    bandwidth = float(np.median([limit.bandwidth for limit in limits]))
    ridge = peak / bandwidth
    left, right = 0.4 * min(ridge / 4, *(x for _, x, _ in at)), 2.5 * max(ridge * 4, *(x for _, x, _ in at))
    names = differing([m.point for m in measurements])
    low, high = (0.05 if names else 0.5) * min([y for _, _, y in at] + [bandwidth * left]), 4 * peak

    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.plot([left, ridge, right], [bandwidth * left, peak, peak], color=COLORS["ink"], linewidth=1.4)
        axes.annotate(
            f"multiply {words.rate(peak, 'FLOP')}", (right, peak), (-4, 5), textcoords="offset points", ha="right"
        )
        for backend, intensity, speed in at:
            axes.plot(intensity, speed, linestyle="none", **looks[backend].dot)
        for m in measurements if len(measurements) <= MOST_LABELLED else ():
            where = label(m.point, names), (m.flops / m.bytes, low), (0, 4)
            axes.annotate(*where, textcoords="offset points", ha="center", rotation=90, fontsize=8)
        axes.set_xlim(left, right)
        axes.set_ylim(low, high)
        logarithmic(axes.xaxis, left, right, lambda x: f"{x:g}")
        logarithmic(axes.yaxis, low, high, lambda y: words.rate(y, "FLOP"))
        axes.set_xlabel("operations per byte (log scale)")
        legend(figure, {backend: look for backend, look in looks.items() if any(b == backend for b, _, _ in at)})

    best = max(at, key=lambda each: each[2])
    description = (
        f"Roofline: at most {words.rate(peak, 'FLOP')} and {words.rate(bandwidth, 'B')}; "
        f"the fastest step, {best[0]}'s, reaches {words.rate(best[2], 'FLOP')}"
    )
    return inline_svg(name, description, (WIDE, SIZE[1] + 0.5), draw)
