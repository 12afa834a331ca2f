"""The content of a check's and a comparison's page, section by section."""

from collections.abc import Collection
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from gradparity import comparison as comparing
from gradparity.comparison import Comparison
from gradparity.manifest import manifest
from gradparity.parity.report import Report, describe
from gradparity.parity.training_parity import TrainingParity
from gradparity.parity.training_parity import describe as describe_training
from gradparity.report.page import images, panels, plots, words
from gradparity.report.page.parity_table import parity_table
from gradparity.report.page.templates import template
from gradparity.training import MONITORED


def render_check(report: Report, training: TrainingParity | None) -> str:
    """Return the HTML page of a check."""
    facts = {
        "Check": {"examples": str(report.n), "seed": str(report.seed), "witnesses": words.listing(report.witnesses)},
        "Machine": manifest(),
    }
    return template("check.html.jinja").render(
        **_shared(report, training), facts=facts, accusations=[*map(describe, report.findings), *_apart(training)]
    )


def render_comparison(comparison: Comparison) -> str:
    """Return the HTML page of a comparison."""
    report, training = comparison.report, comparison.training
    return template("comparison.html.jinja").render(
        **_shared(report, training),
        spec=comparison.spec,
        dataset=comparison.dataset,
        settings=comparison.settings,
        runs=comparison.runs,
        accusations=[*words.accusations(report), *_apart(training)],
        facts=_facts(comparison),
        wrong_lines={row.line for row in report.disagreements if row.kind != "whole gradient"},
        curves=_curves(comparison),
        differences=_differences(comparison),
        monitored=min(MONITORED, len(comparison.dataset.train)),
        weights=panels.weights(comparison),
        gradients=panels.gradients(comparison),
        color_bar=images.color_bar(),
        timing=_timing(comparison),
        untimed=[name for name in report.backends if name not in _timed(comparison)],
        steps=comparing.STEPS,
    )


def _shared(report: Report, training: TrainingParity | None) -> dict[str, Any]:
    """What the page of a check and that of a comparison have in common."""
    return {
        "report": report,
        "training": training,
        "agrees": bool(report.rows) and report.agrees and (training is None or training.agrees),
        "headline": words.headline(report, training),
        "parity": parity_table(report),
        "visible": bool(report.smallest_visible_bugs),
        "drift": {} if training is None else {lane: plots.drift(training, lane) for lane in training.budgets},
    }


def _apart(training: TrainingParity | None) -> list[str]:
    """Say which backend's training runs apart."""
    return [] if training is None else [describe_training(row, training.truth) for row in training.findings]


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
