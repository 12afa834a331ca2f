"""No speed without parity: what computes something else is not timed, and the reason is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.models import RegisteredSpec
from gradparity.parity.budget import FACTOR, ULP
from gradparity.parity.norms import relative_error
from gradparity.parity.report import describe
from gradparity.subjects.specs import check
from gradparity_bench import notebook
from gradparity_bench.task import Task, Weights

PEER = registry.DEFAULT[0]
"""The hand-derived backend that a machine-derived one is compared with; a hand-derived one has a machine as witness."""


@cache
def refusal(spec: RegisteredSpec, name: str) -> str:
    """Say why a backend is not timed on a model: it cannot be used here, or its gradients disagree; else nothing."""
    try:
        report = check(spec, backends=[name, PEER])
    except UsageError as error:
        return str(error)
    wrong = [describe(row) for row in report.disagreements if name in (row.backend, row.witness)]
    return f"its gradients disagree in {len(wrong)} comparisons, the first: {wrong[0]}" if wrong else ""


@dataclass(frozen=True)
class ExpectedWeights:
    """The weights after one epoch of a task, and how far rounding alone moves them."""

    truth: Weights
    """From the notebook's loop in float64."""
    limits: Mapping[str, float]
    """Name -> the largest relative error ‖a − b‖₂ / ‖b‖₂ that float32 rounding explains."""

    def refusal(self, weights: Weights) -> str:
        """Say which weights differ by more than rounding; nothing where none does."""
        errors = {name: relative_error(weights[name], truth) for name, truth in self.truth.items()}
        return "; ".join(
            f"its {name} after one epoch is not the notebook's: "
            f"relative error {error:.1e}, at most {self.limits[name]:.1e} is rounding"
            for name, error in errors.items()
            if not error <= self.limits[name]
        )


def expected_weights(task: Task) -> ExpectedWeights:
    """Train the notebook's loop for one epoch, in float64 and in float32: their distance is what rounding does.

    The limit is a multiple of that distance, as in ``gradparity.parity.budget``.
    """
    truth = next(notebook.train(task, "float64"))
    rounded = next(notebook.train(task, "float32"))
    return ExpectedWeights(truth, {name: FACTOR * (relative_error(rounded[name], truth[name]) + ULP) for name in truth})
