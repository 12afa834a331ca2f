from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from gradparity import check_autograd_function
from gradparity.errors import UsageError
from gradparity.parity import Report

torch = pytest.importorskip("torch")

rng = np.random.default_rng(0)
X, W = rng.normal(size=(5, 3)), rng.normal(size=(3, 4))
WAYS = {
    "",
    " on arrays that are not contiguous",
    " in a second backward pass",
    " where only x needs a gradient",
    " where only w needs a gradient",
    " used twice",
}


def squared_product(x: Any, w: Any) -> Any:
    return (x @ w) ** 2


class Right(torch.autograd.Function):  # type: ignore[misc, name-defined]
    """(xw)², with the product saved."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        product = x @ w
        ctx.save_for_backward(x, w, product)
        return product**2

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        x, w, product = ctx.saved_tensors
        dproduct = 2 * product * dy
        return dproduct @ w.T, x.T @ dproduct


def right_backward(ctx: Any, dy: Any) -> Any:
    return Right.backward(ctx, dy)


def function(backward: Callable[[Any, Any], Any], forward: Callable[..., Any] = Right.forward) -> Any:
    return type(
        "Mine", (torch.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    )


def check(mine: Any) -> Report:
    return check_autograd_function(mine, squared_product, X, W)


def failing(report: Report) -> dict[tuple[str, str], set[str]]:
    """Way and lane -> the lines that disagree."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in report.disagreements:
        found.setdefault((row.backend.removeprefix("Mine"), row.lane), set()).add(row.line)
    return found


def everywhere(line: str) -> dict[tuple[str, str], set[str]]:
    other = {"x": "w", "w": "x"}[line]
    ways = WAYS - {f" where only {other} needs a gradient"}
    return {**{(way, "float64"): {line} for way in ways}, ("", "float32"): {line}}


def test_a_right_function_agrees_in_every_way() -> None:
    report = check(function(right_backward))
    report.assert_ok()
    assert {(row.backend.removeprefix("Mine"), row.lane) for row in report.rows} == set(everywhere("x")) | set(
        everywhere("w")
    )


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.001])
def test_a_wrong_gradient_disagrees_in_every_way_and_the_other_in_none(factor: float) -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        dx, dw = right_backward(ctx, dy)
        return dx, factor * dw

    report = check(function(backward))
    assert failing(report) == everywhere("w")
    assert [(row.backend, row.line) for row in report.findings] == [("Mine", "w")]


def test_a_wrong_value_is_told_from_a_wrong_gradient() -> None:
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        return Right.forward(ctx, x, w) + 1e-3

    report = check(function(right_backward, forward))
    assert {row.kind for row in report.disagreements} == {"value"}
    assert [row.line for row in report.findings] == ["output"], "that it is wrong in a second use follows"


def test_a_gradient_given_only_together_with_another_is_found() -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        return right_backward(ctx, dy) if ctx.needs_input_grad[0] else (None, None)

    assert failing(check(function(backward))) == {(" where only w needs a gradient", "float64"): {"w"}}


def test_a_rule_that_needs_contiguous_arrays_is_found() -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        return right_backward(ctx, dy.view(-1).view(5, 4))

    report = check(function(backward))
    assert failing(report) == {(" on arrays that are not contiguous", "float64"): {"x"}}
    assert "raises RuntimeError: view size is not compatible" in report.disagreements[0].note


def test_a_rule_that_spoils_what_it_saved_is_found() -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        gradients = right_backward(ctx, dy)
        ctx.saved_tensors[2].data.mul_(0)
        return gradients

    assert failing(check(function(backward))) == {(" in a second backward pass", "float64"): {"x", "w"}}


def test_a_rule_that_keeps_its_cache_on_the_class_is_found() -> None:
    class Mine(Right):
        last: ClassVar[Any]

        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            Mine.last = (x, w)
            return Right.forward(ctx, x, w)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            x, w = Mine.last
            dproduct = 2 * ctx.saved_tensors[2] * dy
            return dproduct @ w.T, x.T @ dproduct

    assert failing(check(Mine)) == {(" used twice", "float64"): {"x", "w"}}


def test_a_rule_that_overwrites_its_upstream_gradient_is_found() -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        return right_backward(ctx, dy.mul_(1.0).add_(0.5).sub_(0.5).mul_(2)) if dy.data.numel() else None

    report = check(function(backward))
    assert "it changes the upstream gradient of output in place" in report.disagreements[0].note


def test_a_rule_that_loses_digits_is_found_in_float32_alone() -> None:
    def backward(ctx: Any, dy: Any) -> Any:
        dx, dw = right_backward(ctx, dy)
        return (dx + 1e4) - 1e4, dw

    assert failing(check(function(backward))) == {("", "float32"): {"x"}}


def test_an_output_that_is_not_used_has_no_upstream_gradient() -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.set_materialize_grads(False)
        return 2 * x, 3 * x

    def backward(_: Any, of_double: Any, of_triple: Any) -> Any:
        return 2 * of_double + 3 * of_triple

    report = check_autograd_function(function(backward, forward), lambda x: (2 * x, 3 * x), X)  # type: ignore[arg-type]
    assert set(failing(report)) == {
        (" where only output[0] is used", "float64"),
        (" where only output[1] is used", "float64"),
    }
    assert "raises TypeError: unsupported operand type" in report.disagreements[0].note


@pytest.mark.fault(kind="silence")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_disagree(bad: float) -> None:
    report = check(function(lambda ctx, dy: (right_backward(ctx, dy)[0] * bad, right_backward(ctx, dy)[1])))
    assert failing(report) == everywhere("x")
    assert {row.note for row in report.disagreements} == {"15 of 15 entries are NaN or infinite"}


def test_outputs_of_another_shape_are_told() -> None:
    report = check_autograd_function(function(right_backward), lambda x, w: squared_product(x, w).sum(0), X, W)
    assert report.disagreements[0].note == "returns output of shape (5, 4), should be output of shape (4,)"


def test_without_pytorch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity.subjects.autograd_function.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs PyTorch, which is not installed: run  pip install"):
        check(Right)
