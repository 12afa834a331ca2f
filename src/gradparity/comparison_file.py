"""What ``gradparity compare --json`` writes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal, TypedDict

from gradparity.comparison import STEPS, Comparison
from gradparity.output import plain
from gradparity.parity.report import ReportFile
from gradparity.training import EpochFile, Settings


class RunFile(TypedDict):
    """One backend's training as JSON has it."""

    backend: str
    epochs: list[EpochFile]
    test_accuracy: float | None
    """None for real targets."""
    largest_parameter_differences: list[float]


class ComparisonFile(TypedDict):
    """What ``gradparity compare --json`` writes."""

    format: Literal["gradparity-comparison/1"]
    agrees: bool
    data: str
    settings: Settings
    parity: ReportFile
    training_parity: dict[str, Any] | None
    """None where there was no second backend to compare with."""
    epoch_errors: dict[str, float | None]
    """None where one is infinite."""
    failures: dict[str, str]
    runs: list[RunFile]
    seconds_per_step: dict[str, list[float]]
    seconds_per_step_again: list[float]
    """Of a second copy of the first backend: the noise."""


def to_dict(result: Comparison) -> dict[str, Any]:
    """Return everything but the weights as plain data, for JSON: a ``ComparisonFile``."""
    return {
        "format": "gradparity-comparison/1",
        "agrees": result.agrees,
        "data": result.dataset.name,
        "settings": asdict(result.settings),
        "parity": result.report.to_dict(),
        "training_parity": None if result.training is None else result.training.to_dict(),
        "epoch_errors": plain(result.epoch_errors),
        "failures": dict(result.failures),
        "runs": [
            {
                "backend": run.backend,
                "epochs": [epoch.to_dict() for epoch in run.epochs],
                "test_accuracy": run.test_accuracy,
                "largest_parameter_differences": list(run.differences),
            }
            for run in result.runs
        ],
        "seconds_per_step": {} if result.timings is None else _per_step(result.timings.seconds),
        "seconds_per_step_again": [] if result.timings is None else [s / STEPS for s in result.timings.again],
    }


def _per_step(seconds: Mapping[str, tuple[float, ...]]) -> dict[str, list[float]]:
    return {name: [s / STEPS for s in own] for name, own in seconds.items()}
