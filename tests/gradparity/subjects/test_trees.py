"""Arguments and outputs as people have them: dicts and lists of parameters, several outputs, floats, random numbers."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from gradparity import check_vjp
from gradparity.errors import UsageError

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 3))
PARAMS = {"W": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}


def affine(x: Any, params: Any) -> Any:
    return x @ params["W"] + params["b"]


def affine_vjp(x: Any, params: Any, dy: Any) -> Any:
    return dy @ params["W"].T, {"W": x.T @ dy, "b": dy.sum(0)}


def test_a_dict_of_parameters_is_named_by_its_paths() -> None:
    report = check_vjp(affine, affine_vjp, X, PARAMS)
    report.assert_ok()
    assert {row.line for row in report.rows} == {"x", "params['W']", "params['b']"}


def test_the_wrong_leaf_is_named_and_told() -> None:
    def wrong(x: Any, params: Any, dy: Any) -> Any:
        dx, dparams = affine_vjp(x, params, dy)
        return dx, dparams | {"b": -dparams["b"]}

    report = check_vjp(affine, wrong, X, PARAMS)
    assert {row.line for row in report.disagreements} == {"params['b']"}
    assert all("has the wrong sign" in row.diagnosis for row in report.findings)


@pytest.mark.fault(kind="silence")
def test_a_leaf_that_is_left_out_disagrees() -> None:
    report = check_vjp(affine, lambda x, params, dy: (dy @ params["W"].T, {"W": x.T @ dy}), X, PARAMS)
    assert {row.line for row in report.disagreements} == {"params['b']"}


@pytest.mark.fault(kind="python")
def test_a_gradient_of_what_is_no_argument_is_refused() -> None:
    with pytest.raises(UsageError, match=r"returns a gradient of params\['c'\], and there is no such argument"):
        check_vjp(affine, lambda x, _, dy: (x, {"W": x.T @ dy, "b": dy.sum(0), "c": x}), X, PARAMS)


class Layer(NamedTuple):
    W: Any
    b: Any


def test_lists_tuples_and_nested_trees_keep_their_structure() -> None:
    layers = [Layer(rng.normal(size=(3, 4)), rng.normal(size=4)), Layer(rng.normal(size=(4, 2)), rng.normal(size=2))]

    def f(layers: Any) -> Any:
        return (X @ layers[0].W + layers[0].b) @ layers[1].W + layers[1].b

    def rule(layers: Any, dy: Any) -> Any:
        h = X @ layers[0].W + layers[0].b
        dh = dy @ layers[1].W.T
        return [Layer(X.T @ dh, dh.sum(0)), Layer(h.T @ dy, dy.sum(0))]

    report = check_vjp(f, rule, layers)
    report.assert_ok()
    assert {row.line for row in report.rows} == {"layers[0][0]", "layers[0][1]", "layers[1][0]", "layers[1][1]"}


def test_an_output_of_whole_numbers_has_no_upstream_gradient() -> None:
    def f(x: Any) -> Any:
        return x.max(axis=1), x.argmax(axis=1)

    def rule(x: Any, dy: Any) -> Any:
        assert dy[1] is None
        dx = np.zeros_like(x)
        dx[np.arange(len(x)), x.argmax(axis=1)] = dy[0]
        return dx

    check_vjp(f, rule, X).assert_ok()
    assert not check_vjp(f, lambda x, dy: 2 * rule(x, dy), X).agrees


def test_a_python_float_has_a_gradient_where_the_rule_gives_one() -> None:
    def f(x: Any, slope: Any) -> Any:
        return slope * x

    right = check_vjp(f, lambda x, slope, dy: (slope * dy, (x * dy).sum()), X, 0.1)
    right.assert_ok()
    assert {row.line for row in right.rows} == {"x", "slope"}
    wrong = check_vjp(f, lambda x, slope, dy: (slope * dy, -(x * dy).sum()), X, 0.1)
    assert {row.line for row in wrong.disagreements} == {"slope"}
    check_vjp(f, lambda _, slope, dy: (slope * dy, None), X, 0.1).assert_ok()


@pytest.mark.fault(kind="python")
def test_a_function_that_draws_random_numbers_is_refused() -> None:
    noise = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"must give the same output each time on the same arguments.*draw random"):
        check_vjp(lambda x: x * (noise.random(x.shape) > 0.5), lambda _, dy: dy, X)


def doubling(x: Any) -> Any:
    x *= 2
    return x


def test_a_function_that_changes_its_own_input_gets_a_remark_and_its_rule_a_verdict() -> None:
    report = check_vjp(doubling, lambda _, dy: 2 * dy, X)
    report.assert_ok()
    assert "doubling changes x in place: a caller that still needs it finds other numbers" in report.remarks
    assert not check_vjp(doubling, lambda _, dy: dy, X).agrees


def test_a_rule_that_changes_an_argument_gets_a_verdict_and_a_remark() -> None:
    def rule(x: Any, dy: Any) -> Any:
        x *= 2
        return x * dy

    report = check_vjp(np.square, rule, X)
    report.assert_ok()
    assert "rule changes x in place: a caller that still needs it finds other numbers" in report.remarks


def test_a_rule_that_writes_into_dy_gets_a_verdict_and_a_remark() -> None:
    def relu_backward(x: Any, dy: Any) -> Any:
        dx = dy
        dx[x <= 0] = 0
        return dx

    report = check_vjp(lambda x: x * (x > 0), relu_backward, X)
    report.assert_ok()
    assert any("relu_backward changes the upstream gradient of output in place" in text for text in report.remarks)
