"""What is paid once, and memory, as stacked bars with a bar for each backend."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gradparity.drawing.svg import SERIES, inline_svg
from gradparity_bench import words
from gradparity_bench.page.curves import WIDE
from gradparity_bench.results import Measurement

FAR_LONGER = 3.0


def phases(name: str, m: Measurement) -> Markup | None:
    """Draw import, trace, compile and first step of each timed backend, in seconds; None where there are none."""
    rows = [(row.backend, row.phases) for row in m.timed if row.phases is not None]
    parts = {
        "import": [p.importing for _, p in rows],
        "trace": [p.trace or 0.0 for _, p in rows],
        "compile": [p.compile or 0.0 for _, p in rows],
        "first step": [p.first_step for _, p in rows],
    }
    return _bars(name, "Seconds paid once", [b for b, _ in rows], parts, "seconds", words.seconds) if rows else None


def memory(name: str, m: Measurement) -> Markup | None:
    """Draw each timed backend's peak memory in MiB, that of the imports apart; None where there is none."""
    rows = [
        (row.backend, row.peak_memory / words.MIB, row.working_memory / words.MIB)
        for row in m.timed
        if row.peak_memory is not None and row.working_memory is not None
    ]
    parts = {
        "imports": [peak - working for _, peak, working in rows],
        "after the imports": [working for _, _, working in rows],
    }
    names = [backend for backend, _, _ in rows]
    return _bars(name, "Peak memory", names, parts, "MiB", lambda x: words.mebibytes(words.MIB * x)) if rows else None


def _bars(
    name: str,
    title: str,
    backends: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    unit: str,
    text: Callable[[float], str],
) -> Markup:
    totals = [sum(own) for own in zip(*parts.values(), strict=True)]
    *_, next_to_longest, longest = [0.0, *sorted(totals)]
    # One that is far longer would flatten all others: it leaves the axes, with an arrow.
    end = 1.5 * next_to_longest if longest > FAR_LONGER * next_to_longest > 0 else longest

    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        left = [0.0] * len(backends)
        for color, values in zip(SERIES, parts.values(), strict=False):
            shown = [min(value, end - start) for start, value in zip(left, values, strict=True)]
            axes.barh(range(len(backends)), shown, left=left, height=0.6, color=color, linewidth=0)
            left = [start + value for start, value in zip(left, shown, strict=True)]
        for i, total in enumerate(totals):
            said = text(total) if total <= end else f"→ {text(total)}"
            axes.annotate(said, (min(total, end), i), (5, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(backends)), backends)
        axes.set_ylim(len(backends) - 0.4, -0.6)
        axes.set_xlim(0, 1.22 * end)
        axes.set_xlabel(unit)
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        handles = [Patch(label=part, color=color) for color, part in zip(SERIES, parts, strict=False)]
        figure.legend(handles=handles, loc="outside upper left", ncols=4, handlelength=1.2, columnspacing=1.2)

    said = ", ".join(f"{backend} {text(total)}" for backend, total in zip(backends, totals, strict=True))
    return inline_svg(name, f"{title}: {said}", (WIDE, 1.0 + 0.36 * len(backends)), draw)
