"""The page's content, section by section, and the template that lays it out."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from markupsafe import Markup

from gradparity.drawing import Table
from gradparity.drawing.page import template
from gradparity_bench import tables, words
from gradparity_bench.page import bars, curves
from gradparity_bench.page.looks import Looks, looks
from gradparity_bench.page.roofline import roofline
from gradparity_bench.places import common_label, differing, full_label, label, place, spelled, sweep_axis, sweeps
from gradparity_bench.results import Measurement, Result

NOTHING = "No two backends were timed, so there is nothing to compare."


class Figure(NamedTuple):
    """A drawing and what it is of; empty where there is only one."""

    where: str
    drawing: Markup


class SweepLine(NamedTuple):
    """One line of a sweep: what its points have in common, and its curves."""

    where: str
    seconds: Markup
    ratios: Markup
    crossovers: list[str]


def render(result: Result) -> str:
    """Return the HTML page of a result."""
    found = [m for m in result.measurements if m.timed]
    points = [m.point for m in result.measurements]
    axis = sweep_axis([m.point for m in found])
    shown = looks(found)
    sentences = [*result.choice, *words.verdicts(found)]
    return template("bench.html.jinja", "gradparity_bench.page").render(
        heading=points[0].model if points else "benchmark",
        common=common_label(points),
        headline=sentences[0] if sentences else NOTHING,
        agrees=bool(sentences) and not any(r.status == "disagrees" for m in result.measurements for r in m.rows),
        accusations=[],
        sentences=sentences[1:],
        cautions=words.cautions(found),
        facts=_facts(result),
        tone=_tone(result),
        grid=tables.library_and_method(found[-1]) if found and any(map(words.method_pairs, found)) else None,
        grid_where=label(found[-1].point, differing(points)) if found else "",
        intervals=[] if axis else _figures(found, shown, curves.ratio_intervals, "ratios"),
        lines=_lines(found, axis, shown) if axis else [],
        axis=(axis or "").replace("_", " "),
        roofs=_roofs(found, shown),
        phases=bars.phases("phases", found[-1]) if found else None,
        memory=bars.memory("memory", found[-1]) if found else None,
        points=[_numbers(m, label(m.point, differing(points)) or full_label(m.point)) for m in result.measurements],
    )


def _tone(result: Result) -> str:
    """Say how the page's verdict looks: one that is too noisy to tell is neither good nor bad."""
    if any(row.status == "disagrees" for m in result.measurements for row in m.rows):
        return "wrong"
    told = [m.verdict(row.backend) for m in result.measurements for row in m.timed]
    return "open" if "unclear" in told or not any(told) else "agree"


def _numbers(m: Measurement, where: str) -> tuple[str, list[str], list[Table]]:
    """Return what a point is called, who is not timed at it, and the tables of the others."""
    return where, words.untimed(m), [tables.each_step(m), tables.paid_once(m)] if m.timed else []


def _facts(result: Result) -> dict[str, dict[str, str]]:
    """How and where it was measured."""
    rows = [row for m in result.measurements for row in m.timed]
    rounds = {str(len(row.rounds.step)) for row in rows if row.rounds is not None}
    run = {
        "points": str(len(result.measurements)),
        "rounds": ", ".join(sorted(rounds)) or "none",
        "seed": str(result.seed),
        "complete": "yes" if result.complete else "no, it was interrupted",
    }
    points = [m.point for m in result.measurements]
    same = {n: spelled(v) for n, v in place(points[0]).items() if n not in differing(points)} if points else {}
    versions = {name: version for row in rows for name, version in row.versions.items()}
    return {"Model": same, "Run": run, "Machine": {**versions, **result.manifest}}


def _figures(found: Sequence[Measurement], shown: Looks, draw: Any, name: str) -> list[Figure]:
    names = differing([m.point for m in found])
    return [Figure(label(m.point, names), draw(f"{name}-{i}", m, shown)) for i, m in enumerate(found)]


def _lines(found: Sequence[Measurement], axis: str, shown: Looks) -> list[SweepLine]:
    turning = dict(words.crossovers(found))
    drawn = []
    for i, (where, line) in enumerate(sweeps(found, axis).items()):
        crossovers = {each.backend: each for each in turning[where]}
        drawn.append(
            SweepLine(
                where,
                curves.seconds_curves(f"seconds-{i}", line, axis, shown, crossovers),
                curves.ratio_curves(f"ratio-{i}", line, axis, shown),
                [words.describe_crossover(each, axis) for each in crossovers.values()],
            )
        )
    return drawn


def _roofs(found: Sequence[Measurement], shown: Looks) -> list[Figure]:
    """Draw a roofline for each dtype and number of threads."""

    def machine(m: Measurement) -> tuple[str, int]:
        return m.point.dtype, m.point.threads

    drawn = []
    for i, (_, group) in enumerate(groupby(sorted(found, key=machine), key=machine)):
        members = list(group)
        drawing = roofline(f"roofline-{i}", members, shown)
        if drawing is not None:
            drawn.append(Figure(label(members[0].point, ("dtype", "threads")), drawing))
    return drawn
