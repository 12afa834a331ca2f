"""Silence is never agreement: what was asked for and not compared makes a report that does not agree."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradparity
from gradparity.errors import UsageError
from gradparity.models import SoftmaxRegression
from gradparity.parity.examine import rows_of
from gradparity.parity.judge import TOO_LOOSE
from gradparity.parity.problem import Subject
from gradparity.parity.report import Report, Row
from gradparity.protocol import Trace
from gradparity.subjects.specs import pose

FILE = Path(__file__).parents[3] / "docs" / "examples" / "my_model.py"


def refused(report: Report) -> str:
    assert not report.agrees
    with pytest.raises(AssertionError) as raised:
        report.assert_ok()
    return str(raised.value)


@pytest.mark.fault(kind="silence")
def test_a_wrong_rule_at_a_kink_does_not_pass_with_nothing_compared() -> None:
    report = gradparity.check_vjp(lambda x: np.maximum(x, 0), lambda _, dy: dy * 5, np.array([0.0, 1.0, -1.0]))
    assert "d['x'] of <lambda> is not checked: " in refused(report)
    assert "no derivative at a kink" in report.unchecked[0].reason


@pytest.mark.fault(kind="silence")
def test_a_witness_alone_is_not_checked_against_itself() -> None:
    report = gradparity.check("softmax_regression", backends=["torch"])
    assert report.rows == ()
    assert "no other witness is there to compare it with" in refused(report)
    assert report.table.headline.startswith("Nothing was compared")


@pytest.mark.fault(kind="silence")
def test_a_files_derivation_that_no_backend_runs_is_not_checked() -> None:
    report = gradparity.check(FILE, backends=["jax", "torch"])
    assert not report.disagreements
    assert "the hand derivation of my_model is not checked: none of these backends runs it: add numpy" in refused(
        report
    )
    assert report.table.headline.startswith("Not checked: the hand derivation. The ")


@pytest.mark.fault(kind="silence")
def test_a_limit_that_would_let_half_a_gradient_pass_checks_nothing() -> None:
    """Rounding of x at 1e8 moves sin(x) by all of its size: float32 alone can tell nothing."""

    def sine(x: Any) -> Any:
        return x.sin()

    torch = pytest.importorskip("torch")

    class Zero(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:  # noqa: ARG004
            return x.sin()

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:  # noqa: ARG004
            return dy * 0

    report = gradparity.check_autograd_function(Zero, sine, np.array([1e8, 2e8, 3e8]))
    loose = [row for row in report.rows if row.lane == "float32" and row.kind == "gradient"]
    assert all(row.limit > TOO_LOOSE for row in loose)
    assert report.disagreements  # float64 tells


@pytest.mark.fault(kind="silence")
def test_an_empty_report_does_not_agree() -> None:
    assert not Report("m", 3, 0, ("numpy",), (), ()).agrees
    row = Row("W", "gradient", "numpy", "torch", "float64", 0.0, 1e-10)
    assert Report("m", 3, 0, ("numpy",), ("torch",), (row,)).agrees


@pytest.mark.fault(kind="silence")
@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"lanes": []}, r"lanes must be a list of at least one, got \[\]"),
        ({"backends": []}, r"backends must be a list of at least one, got \[\]"),
        ({"backends": "numpy"}, "backends must be a list of at least one, got 'numpy'"),
    ],
)
def test_nothing_to_ask_is_refused(choices: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        gradparity.check("softmax_regression", **choices)


def test_a_file_is_asked_for_lanes_before_it_is_run() -> None:
    with pytest.raises(UsageError, match="lanes must be a list of at least one"):
        gradparity.check(FILE, lanes=[])


@pytest.mark.fault(kind="silence")
def test_a_machine_that_leaves_out_a_line_disagrees() -> None:
    """A backend that names its lines and forgets one is not one that names none."""
    problem = pose(SoftmaxRegression(), backends=["numpy", "torch"], lanes=["float64"], differences=False)
    truth = problem.first
    told = Trace({**truth.values, "other": truth.values["loss"]}, dict(truth.gradients))
    del told.values["logits"]
    forgetful = replace(problem, subjects=(Subject("mine", lambda _: told),))
    assert {row.line for row in rows_of(forgetful) if not row.agrees} == {"logits"}


def test_a_wrong_line_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    text = FILE.read_text(encoding="utf-8")
    wrong = tmp_path / "my_model.py"
    wrong.write_text(text.replace('d["b1"] = ', 'd["b1"] = 2 * ', 1), encoding="utf-8")
    report = gradparity.check(wrong, backends=["numpy", "torch"])
    (row,) = report.findings
    number = 1 + text[: text.index('d["b1"] = ')].count("\n")
    assert row.place.endswith(f"my_model.py:{number}")
    assert row.place in refused(report)
