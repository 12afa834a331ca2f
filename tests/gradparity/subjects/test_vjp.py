import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

from gradparity import check_vjp
from gradparity.errors import UsageError
from gradparity.parity import Report
from gradparity.subjects import vjp
from gradparity.subjects.machines import by_torch

N, CLASSES = 5, 4
rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(N, CLASSES))
SHIFT = rng.normal(size=CLASSES)
LABELS = np.array([0, 3, 3, 1, 3])


def softmax(z: Any) -> Any:
    xp = array_namespace(z)
    e = xp.exp(z)
    return e / xp.sum(e, axis=1, keepdims=True)


def cross_entropy(z: Any, shift: Any, labels: Any) -> Any:
    """Per example, so that the upstream gradient has an entry for each."""
    xp = array_namespace(z)
    z = z + shift
    return xp.log(xp.sum(xp.exp(z), axis=1)) - z[xp.arange(N), labels]


def right(z: Any, shift: Any, labels: Any, dy: Any) -> tuple[Any, Any, None]:
    xp = array_namespace(z)
    one_hot = xp.astype(labels[:, None] == xp.arange(CLASSES), z.dtype)
    dz = dy[:, None] * (softmax(z + shift) - one_hot)
    return dz, xp.sum(dz, axis=0), None


@pytest.fixture
def one_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch alone: JAX would compile for seconds."""
    pytest.importorskip("torch")
    monkeypatch.setattr(vjp, "WITNESSES", {"torch": by_torch})


def check(rule: Callable[..., Any], **choices: Any) -> Report:
    return check_vjp(cross_entropy, rule, LOGITS, SHIFT, LABELS, **choices)


def convert(library: str, array: np.ndarray) -> Any:
    if library == "numpy":
        return array
    module = pytest.importorskip(library)
    return module.numpy.asarray(array) if library == "jax" else module.from_numpy(array)


@pytest.mark.parametrize("library", ["numpy", "jax", "torch"])
def test_a_right_rule_agrees_on_the_arrays_of_every_library(library: str) -> None:
    pytest.importorskip("jax")
    pytest.importorskip("torch")
    report = check_vjp(cross_entropy, right, *(convert(library, a) for a in (LOGITS, SHIFT, LABELS)))
    report.assert_ok()
    assert {(row.line, row.witness) for row in report.rows} == {
        (line, witness) for line in ("z", "shift") for witness in ("jax", "torch", "differences")
    }
    assert report.remarks[0] == "labels is not an array of real numbers, so it has no gradient"


def planted(change: Callable[[Any], Any]) -> Callable[..., Any]:
    def wrong(z: Any, shift: Any, labels: Any, dy: Any) -> tuple[Any, Any, None]:
        dz, dshift, _ = right(z, shift, labels, dy)
        return change(dz), dshift, None

    return wrong


def with_one_wrong_entry(dz: Any) -> Any:
    return np.where(np.arange(dz.size).reshape(dz.shape) == 7, dz * 1.01, dz)


@pytest.mark.usefixtures("one_witness")
@pytest.mark.parametrize("seed", [0, 1])
def test_a_user_who_draws_with_the_same_seed_cannot_draw_the_upstream_gradient(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(4, 5))
    report = check_vjp(np.square, lambda x, _dy: 2 * x * x, x, seed=seed)
    assert {row.witness for row in report.disagreements} == set(report.witnesses)


@pytest.mark.usefixtures("one_witness")
@pytest.mark.parametrize(("factor", "agrees"), [(1.0, True), (1.01, False)])
def test_a_function_that_returns_float32_is_judged_by_what_that_explains(factor: float, agrees: bool) -> None:
    def silu(x: Any) -> Any:
        x = np.float32(x)
        return x / (1 + np.exp(-x))

    def rule(x: Any, dy: Any) -> Any:
        assert dy.dtype == np.float32
        x = np.float32(x)
        s = 1 / (1 + np.exp(-x))
        return np.float32(factor) * dy * s * (1 + x * (1 - s))

    report = check_vjp(silu, rule, LOGITS)
    assert report.agrees is agrees
    assert any("computes in float32 inside" in remark for remark in report.remarks)


def test_where_nothing_is_compared_the_report_says_what_is_not_checked() -> None:
    report = check_vjp(lambda x: np.maximum(x, 0), lambda _x, dy: dy * 5, np.array([0.0, 1.0, -1.0]))
    assert not report.agrees
    assert report.table.headline == "Nothing was compared: not checked: d['x']."


@pytest.mark.usefixtures("one_witness")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda dz: dz * 0, r"relative error 1\.0e\+00"),
        (lambda dz: -dz, r"relative error 2\.0e\+00"),
        (lambda dz: dz * (1 + 1e-8), r"relative error 1\.0e-08, at most 1\.0e-10 is rounding"),
        (lambda dz: dz / N, r"relative error 8\.0e-01"),
        (with_one_wrong_entry, "relative error"),
        (lambda dz: dz.T, r"shape \(4, 5\), should be \(5, 4\)"),
        (lambda dz: dz[:, :1], r"shape \(5, 1\), should be \(5, 4\)"),
        (lambda dz: dz * np.nan, "20 of 20 entries are NaN or infinite"),
        (lambda dz: dz.astype(np.float32), "dtype float32, should be float64"),
        (lambda _: None, "None, but f depends on it"),
    ],
)
def test_exactly_the_wrong_argument_disagrees_and_the_words_say_why(change: Callable[[Any], Any], says: str) -> None:
    report = check(planted(change), constant=["labels"])
    assert {row.line for row in report.disagreements} == {"z"}
    assert {row.witness for row in report.disagreements} >= {"torch", "differences"} - (
        {"differences"} if "float32" in says else set()
    )
    with pytest.raises(AssertionError, match=rf"d\['z'\] .*wrong against torch in float64: .*{says}"):
        report.assert_ok()


@pytest.mark.usefixtures("one_witness")
def test_a_rule_that_ignores_the_upstream_gradient_is_wrong() -> None:
    report = check(lambda z, shift, labels, dy: right(z, shift, labels, dy * 0 + dy.mean()))
    assert {row.line for row in report.disagreements} == {"z", "shift"}


@pytest.mark.parametrize("seed", range(3))
def test_without_any_autodiff_differences_find_a_small_mistake(seed: int) -> None:
    def f(x: Any) -> Any:
        return np.sinh(np.asarray(x))

    assert check_vjp(f, lambda x, dy: np.cosh(x) * dy, LOGITS, seed=seed).agrees
    report = check_vjp(f, lambda x, dy: np.cosh(x) * dy * (1 + 1e-6), LOGITS, seed=seed)
    assert [row.witness for row in report.disagreements] == ["differences"]
    assert report.remarks[0].startswith("f does not run on the arrays of jax and torch, no witness then (")


@pytest.mark.usefixtures("one_witness")
def test_where_complex_steps_fail_central_differences_stand_in() -> None:
    report = check_vjp(lambda x: abs(x) ** 1.5, lambda x, dy: 1.5 * abs(x) ** 0.5 * np.sign(x) * dy, LOGITS)
    report.assert_ok()
    assert {row.witness for row in report.rows} == {"torch", "differences"}
    report = check_vjp(lambda x: abs(x) ** 1.5, lambda x, dy: 1.5001 * abs(x) ** 0.5 * np.sign(x) * dy, LOGITS)
    assert len(report.disagreements) == 2


@pytest.mark.usefixtures("one_witness")
def test_a_library_in_which_f_is_another_function_is_no_witness() -> None:
    """PyTorch's std divides by n − 1, NumPy's by n."""

    def rule(x: Any, dy: Any) -> Any:
        return dy * (x - x.mean()) / (x.size * x.std())

    report = check_vjp(lambda x: x.std(), rule, LOGITS)
    report.assert_ok()
    assert [row.witness for row in report.rows] == ["differences"]
    assert report.remarks[0].startswith(
        "torch is no witness: f gives another output on its arrays (relative error 2.6e-02)"
    )


@pytest.mark.usefixtures("one_witness")
@pytest.mark.parametrize("number", [float, lambda total: total.item()])
def test_a_library_that_takes_a_number_for_constant_is_no_witness(number: Callable[[Any], float]) -> None:
    """PyTorch forgets where a Python number came from, and says nothing."""

    def rule(x: Any, dy: Any) -> Any:
        return dy * x.sum() + (dy * x).sum()

    report = check_vjp(lambda x: x * number(x.sum()), rule, LOGITS)
    report.assert_ok()
    assert [row.witness for row in report.rows] == ["differences"]
    assert report.remarks[0].startswith("torch is no witness: its gradient of x is not how the loss changes")
    assert not check_vjp(lambda x: x * number(x.sum()), lambda x, dy: dy * x.sum(), LOGITS).agrees


@pytest.mark.usefixtures("one_witness")
def test_python_numbers_are_differentiated_where_nothing_else_is() -> None:
    check_vjp(lambda a, b: a * b, lambda a, b, dy: (b * dy, a * dy), 3.0, 2.0).assert_ok()
    assert not check_vjp(lambda a, b: a * b, lambda a, b, dy: (b * dy, -a * dy), 3.0, 2.0).agrees


@pytest.mark.usefixtures("one_witness")
def test_outputs_may_be_a_dict_and_the_upstream_gradient_is_arranged_alike() -> None:
    def f(x: Any, w: Any) -> dict[str, Any]:
        return {"double": 2 * x, "product": x @ w}

    def rule(x: Any, w: Any, dy: dict[str, Any], share: float = 1.0) -> tuple[Any, Any]:
        return 2 * dy["double"] + share * dy["product"] @ w.T, x.T @ dy["product"]

    check_vjp(f, rule, LOGITS, LOGITS.T[:, :3]).assert_ok()
    forgotten = check_vjp(f, lambda x, w, dy: rule(x, w, dy, share=0.0), LOGITS, LOGITS.T[:, :3])
    assert {row.line for row in forgotten.disagreements} == {"x"}


@pytest.mark.usefixtures("one_witness")
def test_an_argument_that_f_does_not_use_may_have_none() -> None:
    report = check_vjp(lambda x, _: x * 2, lambda _, __, dy: (dy * 2, None), LOGITS, SHIFT)
    report.assert_ok()
    report = check_vjp(lambda x, _: x * 2, lambda _, unused, dy: (dy * 2, unused * 1e-9), LOGITS, SHIFT)
    assert {(row.line, row.witness) for row in report.disagreements} == {("_", "torch"), ("_", "differences")}


def of_square(x: Any, dy: Any) -> Any:
    return 2 * x * dy


@pytest.mark.fault(kind="python")
@pytest.mark.usefixtures("one_witness")
@pytest.mark.parametrize(
    ("arguments", "f", "rule", "says"),
    [
        (
            [LOGITS, SHIFT],
            lambda x, b: x + b,
            lambda *given: given[-1],
            r"one gradient per argument, \(dx, db\), got 1: ",
        ),
        ([LOGITS + 0j], np.square, of_square, "x is complex"),
        ([LABELS], np.square, of_square, "there is nothing to differentiate: none of .* is a real array"),
        ([-np.ones(3)], lambda x: np.asarray([np.inf]) * x, of_square, "output is NaN or infinite at these arguments"),
        ([LOGITS], lambda x: x.argmax(axis=1), of_square, "output must be an array of real numbers, got int64"),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments: list[Any], f: Any, rule: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_vjp(f, rule, *arguments)


@pytest.mark.usefixtures("one_witness")
def test_the_report_is_plain_data() -> None:
    data = json.loads(json.dumps(check(planted(lambda dz: dz * np.inf)).to_dict(), allow_nan=False))
    assert (data["model"], data["agrees"]) == ("cross_entropy", False)
    assert {row["error"] for row in data["rows"] if row["line"] == "z"} == {None}
