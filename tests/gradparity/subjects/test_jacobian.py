"""Small pairs are asked for each output alone: what a random upstream gradient mixes is told entry by entry."""

from typing import Any

import numpy as np
import pytest

from gradparity import check_vjp
from gradparity.inputs import independent
from gradparity.subjects.arguments import draw_upstream
from gradparity.subjects.jacobian import ENTRIES, OUTPUTS, is_small, jacobian

pytestmark = pytest.mark.usefixtures("machine")
rng = np.random.default_rng(0)
W, X = np.array([[1.0, 3.0], [0.5, 2.0], [2.0, 5.0]]), rng.normal(size=2)


@pytest.fixture
def machine() -> None:
    pytest.importorskip("torch")


def product(w: Any, x: Any) -> Any:
    return w @ x


def product_vjp(w: Any, x: Any, dy: Any) -> Any:
    return dy[:, None] * x[None, :], w.T @ dy


def doubled_entry(w: Any, x: Any, dy: Any) -> Any:
    other = w.copy()
    other[2, 0] *= 2
    return product_vjp(w, x, dy)[0], other.T @ dy


def test_a_right_rule_has_the_right_jacobian() -> None:
    report = check_vjp(product, product_vjp, W, X)
    report.assert_ok()
    assert "Jacobian: 3 rows, one for each output alone, agree with those of torch" in report.remarks


def test_a_wrong_entry_is_told_by_output_and_input() -> None:
    with pytest.raises(AssertionError, match=r"∂y\[2\]/∂x\[0\]: yours 4, right 2 "):
        check_vjp(product, doubled_entry, W, X).assert_ok()


def test_a_rule_that_is_right_for_all_outputs_together_and_wrong_for_one_is_found() -> None:
    def of_a_mixture(x: Any, dy: Any) -> Any:
        return 2 * x * dy * np.where(np.count_nonzero(dy) == 1, 3, 1)

    report = check_vjp(lambda x: x**2, of_a_mixture, X)
    (row,) = report.disagreements
    assert row.backend == "of_a_mixture for one output alone"
    assert row.diagnosis.startswith("d['x'] is right for all outputs together and wrong for one alone: ∂y[")


def test_a_cause_that_explains_every_entry_is_told_alone() -> None:
    report = check_vjp(product, lambda w, x, dy: (product_vjp(w, x, dy)[0], 2 * w.T @ dy), W, X)
    assert report.disagreements
    assert all("d['x'] is 2 times too large" in row.diagnosis for row in report.disagreements if row.diagnosis)
    assert all("∂y" not in row.diagnosis for row in report.disagreements)


def test_several_outputs_in_a_tree_and_arguments_in_a_dict_are_named_by_their_path() -> None:
    def f(p: Any) -> Any:
        return {"sum": p["a"].sum(), "squares": p["a"] ** 2}

    def vjp(p: Any, dy: Any) -> Any:
        of_sum = dy["sum"] * np.array([1.0, 7.0, 1.0])
        return {"a": of_sum + 2 * p["a"] * dy["squares"]}

    with pytest.raises(AssertionError, match=r"∂y\['sum'\]/∂p\['a'\]\[1\]: yours 7, right 1 "):
        check_vjp(f, vjp, {"a": rng.normal(size=3)}).assert_ok()


def test_the_rows_are_in_the_order_of_the_outputs_and_what_is_left_out_is_zero() -> None:
    of_y = {"output[0]": np.zeros(2), "output[1]": np.zeros((2, 3))}
    found = jacobian(lambda dy: {"x": dy["output[1]"].sum(0)}, of_y, {"x": np.zeros(3), "w": np.zeros(())})
    np.testing.assert_array_equal(found["x"], np.concatenate([np.zeros((2, 3)), np.eye(3), np.eye(3)]))
    np.testing.assert_array_equal(found["w"], np.zeros(8))


@pytest.mark.parametrize(
    ("outputs", "inputs", "small"),
    [(1, 1, False), (2, 1, True), (OUTPUTS, 1, True), (OUTPUTS + 1, 1, False), (2, ENTRIES // 2 + 1, False)],
)
def test_what_is_large_or_a_single_number_is_left_to_the_random_upstream_gradient(
    outputs: int, inputs: int, *, small: bool
) -> None:
    assert is_small({"output": np.zeros(outputs)}, {"x": np.zeros(inputs)}, "jax") is small


def test_without_a_machine_small_jacobians_are_measured() -> None:
    def f(x: Any) -> Any:
        return np.array([x[0] * x[1], np.sin(x[0])])

    def rule(x: Any, dy: Any) -> Any:
        return np.array([x[1] * dy[0] + np.cos(x[0]) * dy[1], x[0] * dy[0]])

    def right_for_the_sum_alone(x: Any, dy: Any) -> Any:
        return rule(x, dy) + (dy.sum() - upstream.sum()) * (dy != 0).sum()

    x = np.array([2.0, 3.0])
    report = check_vjp(f, rule, x)
    assert report.agrees
    assert "Jacobian: 2 rows, one for each output alone, agree with those of differences" in report.remarks
    upstream = draw_upstream({"output": f(x)}, independent(0, "upstream"))["output"]
    (row,) = check_vjp(f, right_for_the_sum_alone, x).disagreements
    assert row.diagnosis.startswith("d['x'] is right for all outputs together and wrong for one alone")
