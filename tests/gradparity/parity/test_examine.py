from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity import draw_params
from gradparity.protocol import Batch, HandDerivation, ModelSpec
from gradparity.subjects.specs import check
from gradparity_manual import softmax_regression
from gradparity_manual.operations.cross_entropy import one_hot, softmax


@pytest.fixture(params=["jax", "torch"])
def witness(request: pytest.FixtureRequest) -> str:
    found = registry.availability(request.param)
    if found.backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    return found.name


class WithHand:
    """Softmax regression with a derivation of its own."""

    def __init__(self, backward: Callable[[Any, Batch, Any, Any], None]) -> None:
        self._base = SoftmaxRegression()
        self.hand = HandDerivation(lambda p, batch, c: softmax_regression.forward(self._base, p, batch, c), backward)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._base, attribute)


def planted(line: str, factor: float) -> WithHand:
    """Multiply the result of one backward line."""

    def backward(_: Any, batch: Batch, c: Any, d: Any) -> None:
        wrong = {line: factor}
        logits = (softmax(c["logits"]) - one_hot(batch.y, like=c["logits"])) / len(batch.y)
        d["logits"] = wrong.get("logits", 1) * logits
        d["W"] = wrong.get("W", 1) * (batch.x.T @ d["logits"])
        d["b"] = wrong.get("b", 1) * d["logits"].sum(axis=0)

    return WithHand(backward)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "spec",
    [SoftmaxRegression(), SoftmaxRegression(weight_decay=0.2), MLP(), MLP(widths=(5, 4, 3, 2), activation="sigmoid")],
)
def test_right_derivations_agree_in_both_lanes(spec: ModelSpec, seed: int, witness: str) -> None:
    report = check(spec, backends=["numpy", witness], seed=seed)
    report.assert_ok()
    assert {row.lane for row in report.rows} == {"float64", "float32"}
    assert {row.line for row in report.rows if row.kind == "gradient"} >= set(spec.param_shapes)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.001, 11.0])
@pytest.mark.parametrize("line", ["logits", "W", "b"])
def test_exactly_the_wrong_line_disagrees(line: str, factor: float, witness: str) -> None:
    report = check(planted(line, factor), backends=["numpy", witness])
    wrong = {(row.kind, row.line) for row in report.disagreements if row.kind != "whole gradient"}
    assert wrong == {("gradient", line)}
    assert {row.lane for row in report.disagreements} == {"float64", "float32"}
    assert all(row.backend == "numpy" for row in report.disagreements)
    with pytest.raises(AssertionError, match=rf"d\['{line}'\] .*numpy against {witness} in float64: relative error"):
        report.assert_ok()


@pytest.mark.fault(kind="silence")
def test_a_line_never_written_disagrees(witness: str) -> None:
    def backward(_: Any, batch: Batch, c: Any, d: Any) -> None:
        logits = (softmax(c["logits"]) - one_hot(batch.y, like=c["logits"])) / len(batch.y)
        d["W"] = batch.x.T @ logits
        d["b"] = logits.sum(axis=0)

    report = check(WithHand(backward), backends=["numpy", witness], lanes=["float64"])
    (row,) = report.disagreements
    assert (row.line, row.kind, row.note) == ("logits", "gradient", "never written")


def test_the_report_as_data_has_no_infinity() -> None:
    report = check(SoftmaxRegression(), backends=["numpy"])
    data = report.to_dict()
    assert data["agrees"] is True
    assert len(data["rows"]) == len(report.rows)
    assert {
        "line",
        "kind",
        "backend",
        "witness",
        "lane",
        "error",
        "limit",
        "note",
        "diagnosis",
        "pinned",
        "slope",
        "place",
        "called",
        "example",
        "agrees",
    } == set(data["rows"][0])


def test_a_witness_is_found_where_none_is_chosen() -> None:
    report = check(SoftmaxRegression(), backends=["numpy"])
    assert report.backends == ("numpy",)
    assert len(report.witnesses) == 2
    assert report.witnesses[1] == "differences"


def test_drawn_parameters_are_nowhere_zero() -> None:
    drawn = draw_params(MLP(), np.random.default_rng(0))
    assert {name: p.shape for name, p in drawn.items()} == MLP().param_shapes
    assert all((p != 0).all() for p in drawn.values())


def test_the_loss_itself_is_a_witness_too(witness: str) -> None:
    report = check(planted("b", 1.001), backends=["numpy", witness])
    by_differences = {
        row.line: row.agrees for row in report.rows if row.witness == "differences" and row.backend == "numpy"
    }
    assert by_differences == {"W": True, "b": False}
    assert {row.kind for row in report.rows if (row.witness, row.backend) == ("differences", witness)} == {
        "gradient",
        "whole gradient",
    }
    assert any("no autodiff" in remark for remark in report.remarks)


def test_a_finding_names_the_line_once_and_says_why(witness: str) -> None:
    report = check(planted("W", 11.0), backends=["numpy", witness])
    (row,) = report.findings
    assert row.diagnosis.startswith("d['W'] is n times too large (n = 11)")
    assert len(report.disagreements) > 1


def test_entries_that_rounding_puts_across_a_kink_are_no_alarm() -> None:
    """A batch whose pre-activations are within float32 rounding of ReLU's kink, on either side."""
    spec = MLP(widths=(3, 4, 2))
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6, 3)).astype(np.float32).astype(np.float64)
    drawn = draw_params(spec, np.random.default_rng(0))
    W1, b1 = (drawn[name].astype(np.float32).astype(np.float64) for name in ("W1", "b1"))
    # The third feature is chosen so that unit 0 of every example lands on the kink, as float32 numbers can.
    x[:, 2] = ((-b1[0] - x[:, 0] * W1[0, 0] - x[:, 1] * W1[1, 0]) / W1[2, 0]).astype(np.float32)
    report = check(spec, backends=["numpy", "torch"], batch=Batch(x, np.arange(6) % 2), seed=0)
    assert any("kink" in remark for remark in report.remarks)
    report.assert_ok()


@pytest.mark.parametrize("spec", [SoftmaxRegression(), MLP(activation="tanh")], ids=["softmax_regression", "mlp"])
def test_a_smooth_model_is_measured_by_complex_steps(spec: ModelSpec) -> None:
    assert any("complex step" in remark for remark in check(spec, backends=["numpy", "torch"]).remarks)


def test_a_large_model_is_measured_along_one_direction() -> None:
    spec = MLP(widths=(300, 200, 100, 5))
    report = check(spec, backends=["numpy", "torch"], n=701, lanes=["float64"])
    assert report.agrees
    assert {row.line for row in report.rows if row.witness == "differences"} == {"all parameters"}
