"""What a user may choose: which arguments have a gradient, which lanes, which ways of use, how large an error."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import assert_gradients_agree, check_autograd_function, check_custom_vjp, check_vjp
from gradparity.errors import UsageError, require_some
from gradparity.parity import LANES
from gradparity.parity.report import Report
from gradparity.subjects.arguments import require_callable

rng = np.random.default_rng(0)
X, W = rng.normal(size=(5, 3)), rng.normal(size=3)


def weighted(x: Any, w: Any) -> Any:
    return x * x * w


def of_data(x: Any, _: Any, dy: Any) -> tuple[Any, Any]:
    """Only the weights are trained."""
    return None, (x * x * dy).sum(0)


def of_both(x: Any, w: Any, dy: Any) -> tuple[Any, Any]:
    return 2 * x * w * dy, (x * x * dy).sum(0)


def function(rule: Callable[..., Any]) -> Any:
    torch = pytest.importorskip("torch")

    def forward(ctx: Any, x: Any, w: Any) -> Any:
        ctx.save_for_backward(x, w)
        return weighted(x, w)

    def backward(ctx: Any, dy: Any) -> Any:
        return rule(*ctx.saved_tensors, dy)

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Weighted", (torch.autograd.Function,), members)


def custom(rule: Callable[..., Any]) -> Any:
    jax = pytest.importorskip("jax")
    fused = jax.custom_vjp(weighted)
    fused.defvjp(lambda x, w: (weighted(x, w), (x, w)), lambda saved, dy: rule(*saved, dy))
    return fused


CHECKS: dict[str, Callable[..., Report]] = {
    "vjp": lambda rule, *arguments, **choices: check_vjp(weighted, rule, *arguments, **choices),
    "autograd_function": lambda rule, *arguments, **choices: check_autograd_function(
        function(rule), weighted, *arguments, **choices
    ),
    "custom_vjp": lambda rule, *arguments, **choices: check_custom_vjp(custom(rule), weighted, *arguments, **choices),
}
every_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)


@every_check
def test_none_for_data_is_believed_and_said(check: Callable[..., Report]) -> None:
    report = check(of_data, X, W)
    report.assert_ok()
    assert {row.line for row in report.rows if row.kind == "gradient"} == {"w"}
    assert any("returns None for x: not checked; constant=[] asks" in remark for remark in report.remarks)


@every_check
def test_none_for_what_is_not_constant_disagrees_where_the_user_said_what_is(check: Callable[..., Report]) -> None:
    assert {row.line for row in check(of_data, X, W, constant=[]).findings} == {"x"}
    named = check(of_data, X, W, constant=["x"])
    named.assert_ok()
    assert not any("None" in remark for remark in named.remarks)


@every_check
def test_a_gradient_of_what_is_constant_is_not_looked_at(check: Callable[..., Report]) -> None:
    def wrong_for_data(x: Any, w: Any, dy: Any) -> tuple[Any, Any]:
        return x * dy, of_both(x, w, dy)[1]

    assert not check(wrong_for_data, X, W).agrees
    check(wrong_for_data, X, W, constant=["x"]).assert_ok()


@pytest.mark.parametrize("check", ["vjp", "autograd_function"])
def test_tensors_that_require_a_gradient_say_what_is_constant(check: str) -> None:
    torch = pytest.importorskip("torch")
    x, w = torch.tensor(X), torch.tensor(W, requires_grad=True)
    report = CHECKS[check](of_data, x, w)
    report.assert_ok()
    assert {row.line for row in report.rows if row.kind == "gradient"} == {"w"}
    assert not CHECKS[check](of_data, x.requires_grad_(), w).agrees


def test_a_rule_that_returns_nothing_but_none_is_refused() -> None:
    with pytest.raises(UsageError, match="must return a gradient of x and w, got None for each"):
        check_vjp(weighted, lambda *_: (None, None), X, W)


@every_check
def test_a_smaller_error_than_rtol_agrees(check: Callable[..., Report]) -> None:
    def nearly(x: Any, w: Any, dy: Any) -> tuple[Any, Any]:
        return tuple(1.0001 * g for g in of_both(x, w, dy))

    assert not check(nearly, X, W).agrees
    assert check(nearly, X, W, rtol=1e-3).agrees
    assert not check(nearly, X, W, rtol=1e-5).agrees


@every_check
def test_only_the_lanes_asked_for_are_run(check: Callable[..., Report]) -> None:
    for lane in ("float64", "float32"):
        report = check(of_both, X, W, lanes=[lane])
        report.assert_ok()
        assert {row.lane for row in report.rows} == {lane}
    assert not check(lambda x, w, dy: (of_both(x, w, dy)[0], 0 * w), X, W, lanes=["float32"]).agrees


@pytest.mark.parametrize(("check", "ways"), [("autograd_function", {"repeated": " in a second backward pass"}),
                                             ("custom_vjp", {"vmap": " under vmap"})])  # fmt: skip
def test_only_the_ways_asked_for_are_tried(check: str, ways: dict[str, str]) -> None:
    for way, words in ways.items():
        report = CHECKS[check](of_both, X, W, ways=[way], lanes=["float64"])
        report.assert_ok()
        assert all(row.backend.endswith(words) for row in report.rows)


@pytest.mark.fault(kind="python")
@every_check
@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (
            {"lanes": []},
            r"lanes must be a list of at least one, got \[\]: there is float64, float32, bfloat16, float16",
        ),
        ({"rtol": 0.6}, r"rtol must be a relative error from 0 to below 0\.5, got 0\.6"),
        ({"rtol": -1.0}, "rtol must be a relative error"),
        ({"constant": "x"}, r'constant must be a list of names, got \'x\': write constant=\["x"\]'),
        ({"constant": 3}, "constant must be a list of names, got 3"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"constant": ["v"]}, "unknown argument 'v': there is w, x"),
        ({"constant": ["x", "w"]}, "none of x, w is a real array that is not constant"),
    ],
)
def test_a_choice_that_there_is_not_is_told_in_one_line(
    check: Callable[..., Report], choices: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        check(of_both, X, W, **choices)
    assert "\n" not in str(raised.value)


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize("check", ["autograd_function", "custom_vjp"])
def test_an_unknown_way_names_those_that_there_are(check: str) -> None:
    with pytest.raises(UsageError, match=r"unknown way 'pmap': there is .*plain"):
        CHECKS[check](of_both, X, W, ways=["pmap"])
    with pytest.raises(UsageError, match="ways must be a list of at least one, got 'plain'"):
        CHECKS[check](of_both, X, W, ways="plain")


def test_models_take_rtol_too() -> None:
    assert_gradients_agree("softmax_regression", backends=["numpy", "numpy-autograd"], lanes=["float64"], rtol=1e-9)
    with pytest.raises(UsageError, match="rtol must be a relative error"):
        assert_gradients_agree("softmax_regression", rtol=1.0)


@pytest.mark.fault(kind="python")
def test_an_unknown_lane_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="unknown lane 'float8': there is float32, float64; did you mean"):
        require_some("lanes", ["float8"], LANES)


@pytest.mark.fault(kind="python")
@pytest.mark.parametrize(
    ("function", "says"),
    [
        (np.zeros(3), "vjp must be a function, got ndarray"),
        (lambda x, dy: x * dy, r"vjp, <lambda>\(x, dy\), must take the 2 arguments and dy that it is given"),
    ],
)
def test_what_is_no_such_function_is_told_in_one_line(function: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        require_callable("vjp", function, [X, W], "dy")


def test_bfloat16_arguments_are_numbers_like_others() -> None:
    torch = pytest.importorskip("torch")
    check_vjp(weighted, of_both, torch.tensor(X).bfloat16(), torch.tensor(W).bfloat16()).assert_ok()


def test_a_random_key_is_passed_as_it_is_and_its_mask_is_the_same_in_float32() -> None:
    jax = pytest.importorskip("jax")

    def dropout(x: Any, key: Any) -> Any:
        return x * jax.random.bernoulli(key, 0.5, x.shape) * 2

    fused = jax.custom_vjp(dropout, nondiff_argnums=(1,))
    fused.defvjp(
        lambda x, key: (dropout(x, key), x.shape),
        lambda key, shape, dy: (dy * jax.random.bernoulli(key, 0.5, shape) * 2,),
    )
    x = rng.normal(size=(20, 3))
    report = check_custom_vjp(fused, dropout, x, jax.random.key(0), ways=["plain"])
    report.assert_ok()
    assert {row.lane for row in report.rows} == {"float64", "float32"}
    assert any("float32 is run with JAX's 64-bit types on" in remark for remark in report.remarks)


def test_a_nested_output_is_named_by_its_path() -> None:
    def f(x: Any) -> Any:
        return {"a": (2 * x, [x * x])}

    report = check_vjp(f, lambda x, dy: 2 * dy["a"][0] + 2 * x * dy["a"][1][0], X)
    report.assert_ok()


@pytest.mark.fault(kind="unruly", cases=2)
def test_a_function_or_a_rule_that_ends_the_process_is_refused() -> None:
    for f, rule in ((sys.exit, lambda _, dy: dy), (lambda x: x, lambda *_: sys.exit(0))):
        with pytest.raises(UsageError, match=r"code that is checked must not end the process, it raised SystemExit"):
            check_vjp(f, rule, X)


@pytest.mark.fault(kind="silence")
def test_an_array_without_entries_is_not_checked() -> None:
    report = check_vjp(lambda x: x * x, lambda x, dy: 2 * x * dy, np.zeros((0, 3)))
    assert not report.agrees
    assert "has no entries" in report.unchecked[0].reason
