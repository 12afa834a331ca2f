"""The content of a check's and a comparison's page, section by section."""

from collections.abc import Collection, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from gradparity import comparison as comparing
from gradparity.comparison import Comparison
from gradparity.drawing.page import Section, page, template
from gradparity.drawing.words import listing
from gradparity.manifest import manifest
from gradparity.parity import Report
from gradparity.parity.rows import Lane, Row
from gradparity.parity.training_parity import TrainingParity
from gradparity.protocol import Line
from gradparity.report.page import panels, plots
from gradparity.training import MONITORED


def render_check(report: Report, training: TrainingParity | None, derivation: Sequence[Line]) -> str:
    """Return the HTML page of a check."""
    sections = [_lines(report, derivation), *([] if training is None else [_steps(training)])]
    return page(
        "check",
        report.model,
        sections,
        facts={"Check": report.facts},
        summary=report.summary,
        headline=_headline(report, training is None or training.agrees),
    )


def render_comparison(comparison: Comparison) -> str:
    """Return the HTML page of a comparison."""
    report, training = comparison.report, comparison.training
    return template("comparison.html.jinja", "gradparity.report.page").render(
        agrees=report.table.agrees and comparison.trains_alike,
        headline=_headline(report, comparison.trains_alike),
        accusations=[*_accusations(report), *comparison.findings],
        summary=report.summary,
        parity=_lines(report, comparison.spec.derivation),
        drift=None if training is None else _steps(training),
        spec=comparison.spec,
        dataset=comparison.dataset,
        settings=comparison.settings,
        runs=comparison.runs,
        facts=_facts(comparison),
        wrong_lines={row.line for row in report.disagreements if row.kind != "whole gradient"},
        curves=_curves(comparison),
        differences=_differences(comparison),
        monitored=min(MONITORED, len(comparison.dataset.train)),
        weights=panels.weights(comparison),
        gradients=panels.gradients(comparison),
        color_bar=panels.color_bar(),
        timing=_timing(comparison),
        untimed=[name for name in report.backends if name not in _timed(comparison)],
        steps=comparing.STEPS,
    )


def _lines(report: Report, derivation: Sequence[Line]) -> Section:
    """Return the table of lines, and before it what is to be seen of each that is wrong."""
    drawing = template("evidence.html.jinja", "gradparity.report.page")
    figures = []
    for line in panels.evidence(report, derivation):
        about = (
            f"{line.name} where it is wrong: what {line.pictures[0][0].label} gives, what it should be, and the "
            "difference on a scale of its own; red is above 0, blue below"
        )
        figures.append((Markup(drawing.render(line=line)), f"{about}; {line.part}." if line.part else f"{about}."))
    return Section("parity", "Line by line", report.table, tuple(figures))


def _steps(training: TrainingParity) -> Section:
    about = (
        "Relative distance ‖p − p*‖ / ‖p*‖ of all parameters together in {}; a curve that stays below the dotted line "
        "is rounding."
    )
    figures = tuple((plots.drift(training, lane), about.format(lane)) for lane in training.budgets)
    return Section("drift", "The same steps", training.table, figures)


def _headline(report: Report, together: bool) -> str:
    if together or not report.table.agrees:
        return report.table.headline
    return f"All {len(report.rows)} comparisons of gradients agree, but training runs apart."


def _accusations(report: Report) -> list[str]:
    """Say which backend disagrees with which on what: one sentence for each backend, lane and finding."""
    against: dict[tuple[str, tuple[Lane, ...], tuple[str, ...]], list[str]] = {}
    for backend in report.backends:
        for witness in report.witnesses:
            rows = [r for r in report.disagreements if (r.backend, r.witness) == (backend, witness)]
            for lanes, findings in _by_lanes(rows).items():
                against.setdefault((backend, lanes, tuple(findings)), []).append(witness)
    return [
        f"{backend} disagrees with {listing(witnesses)} on {listing(findings)}"
        + (f", in {lanes[0]} only." if len(lanes) == 1 else ".")
        for (backend, lanes, findings), witnesses in against.items()
    ]


def _by_lanes(rows: Sequence[Row]) -> dict[tuple[Lane, ...], list[str]]:
    """Name each wrong line once, under the lanes in which it is wrong."""
    lanes: dict[str, tuple[Lane, ...]] = {}
    for row in rows:
        finding = f"the {row.kind} of {row.line}"
        lanes[finding] = (*lanes.get(finding, ()), row.lane)
    return {where: [f for f in lanes if lanes[f] == where] for where in dict.fromkeys(lanes.values())}


def _facts(comparison: Comparison) -> dict[str, dict[str, str]]:
    """What was compared, on what, how and where."""
    spec, data = comparison.spec, comparison.dataset
    sizes: dict[str, str] = {f.name: _plain(getattr(spec, f.name)) for f in fields(spec)} if is_dataclass(spec) else {}
    parameters = sum(int(np.prod(shape)) for shape in spec.param_shapes.values())
    targets = f"{data.outputs} real targets" if data.classes is None else f"{data.classes} classes"
    return {
        "Model": {**sizes, "parameters": f"{parameters:,}"},
        "Data": {
            "training": f"{len(data.train):,} examples",
            "test": f"{len(data.test):,} examples",
            "features": f"{data.features:,}",
            "targets": targets,
        },
        "Training": {f.name: _plain(getattr(comparison.settings, f.name)) for f in fields(comparison.settings)},
        "Machine": manifest(),
    }


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _curves(comparison: Comparison) -> list[Markup]:
    """Loss and, for labels, accuracy."""
    loss = {run.backend: [epoch.loss for epoch in run.epochs] for run in comparison.runs}
    drawn = [plots.curves("loss", "loss", loss)]
    accuracy = {run.backend: [e.accuracy for e in run.epochs if e.accuracy is not None] for run in comparison.runs}
    if all(accuracy.values()):
        drawn.append(plots.curves("accuracy", "accuracy", accuracy))
    return drawn


def _differences(comparison: Comparison) -> Markup | None:
    """Differences from the first backend; None where there are none."""
    reference, *others = comparison.runs
    series = {run.backend: run.differences for run in others}
    return plots.differences(reference.backend, series) if any(map(any, series.values())) else None


def _timed(comparison: Comparison) -> Collection[str]:
    return () if comparison.timings is None else comparison.timings.seconds


def _timing(comparison: Comparison) -> dict[str, Any] | None:
    """Each timed backend's ratio to the first one, as a plot and as rows; None where none was timed."""
    timings = comparison.timings
    if timings is None:
        return None
    found = {name: timings.ratio(name) for name in timings.seconds}
    return {
        "base": timings.base,
        "floor": timings.noise_floor,
        "rounds": len(timings.again),
        "plot": plots.intervals(timings.base, {name: (r.value, r.low, r.high) for name, r in found.items()}),
        "rows": [(name, r, "" if name == timings.base else timings.verdict(name)) for name, r in found.items()],
    }
