"""``order=2``: a rule whose numbers are right and whose own derivative is not is told so, on every way in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import UsageError, check_autograd_function, check_custom_vjp, check_vjp
from gradparity.parity import Report

rng = np.random.default_rng(0)
X, W = rng.normal(size=(5, 3)), rng.normal(size=(3, 4))
TWICE = " differentiated twice"


def squared_product(x: Any, w: Any) -> Any:
    return (x @ w) ** 2


def squared_product_vjp(x: Any, w: Any, dy: Any, kept: Callable[[Any], Any] = lambda product: product) -> Any:
    dproduct = 2 * kept(x @ w) * dy
    return dproduct @ w.T, x.T @ dproduct


def second(report: Report) -> dict[str, bool]:
    """Line -> whether its second derivative agrees."""
    return {row.line: row.agrees for row in report.rows if row.backend.endswith(TWICE)}


def kernel(library: str, kept: Callable[[Any], Any] = lambda product: product) -> Report:
    """Check a Function or a custom_vjp whose backward uses ``kept`` of the product."""
    if library == "jax":
        jax = pytest.importorskip("jax")
        rule = jax.custom_vjp(squared_product)
        rule.defvjp(
            lambda x, w: (squared_product(x, w), (x, w)), lambda s, dy: squared_product_vjp(s[0], s[1], dy, kept)
        )
        return check_custom_vjp(rule, squared_product, X, W, order=2)
    torch = pytest.importorskip("torch")

    class Mine(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(x, w)
            return squared_product(x, w)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            x, w = ctx.saved_tensors
            return squared_product_vjp(x, w, dy, kept)

    return check_autograd_function(Mine, squared_product, X, W, order=2)


def detached(product: Any) -> Any:
    return product.detach()


def stopped(product: Any) -> Any:
    from jax import lax

    return lax.stop_gradient(product)


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_a_rule_that_stays_in_the_graph_agrees_with_respect_to_arguments_and_upstream_gradient(library: str) -> None:
    report = kernel(library)
    report.assert_ok()
    assert second(report) == {"x": True, "w": True, "dy": True}


@pytest.mark.parametrize(("library", "kept"), [("jax", stopped), ("torch", detached)])
def test_a_rule_that_leaves_the_graph_is_right_once_and_wrong_twice(library: str, kept: Callable[[Any], Any]) -> None:
    report = kernel(library, kept)
    assert all(row.backend.endswith(TWICE) for row in report.disagreements)
    assert second(report) == {"x": False, "w": False, "dy": True}
    with pytest.raises(AssertionError, match=r"the second derivative with respect to x is wrong.* leaves the graph"):
        report.assert_ok()


def test_a_function_that_may_be_differentiated_once_is_told() -> None:
    torch = pytest.importorskip("torch")
    from torch.autograd.function import once_differentiable

    class Cube(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, dy: Any) -> Any:
            return 3 * ctx.saved_tensors[0] ** 2 * dy

    check_autograd_function(Cube, lambda x: x**3, X).assert_ok()
    with pytest.raises(AssertionError, match=r"the second derivative with respect to x is all zero; .*once_different"):
        check_autograd_function(Cube, lambda x: x**3, X, order=2).assert_ok()


def test_a_wrong_first_derivative_is_told_alone() -> None:
    pytest.importorskip("torch")
    report = kernel("torch", lambda product: 2 * product.detach())
    assert report.disagreements
    assert second(report) == {}
    assert "the second derivative is not looked at before the first one agrees" in report.remarks


@pytest.mark.parametrize("library", ["numpy", "jax", "torch"])
def test_the_rule_of_a_pair_is_differentiated_by_its_library_and_without_one_by_differences(library: str) -> None:
    pytest.importorskip("torch")
    report = check_vjp(squared_product, squared_product_vjp, *on(library, X, W), order=2)
    report.assert_ok()
    assert second(report) == {"x": True, "w": True, "dy": True}
    witness = "differences" if library == "numpy" else library
    assert {row.witness for row in report.rows if row.backend.endswith(TWICE)} == {witness}


def test_a_pair_that_is_right_at_these_numbers_alone_is_found_by_differences() -> None:
    pytest.importorskip("torch")
    product = X @ W
    report = check_vjp(
        squared_product, lambda x, w, dy: squared_product_vjp(x, w, dy, lambda _: product), X, W, order=2
    )
    assert second(report) == {"x": False, "w": False, "dy": True}
    with pytest.raises(AssertionError, match="the second derivative with respect to w is not that of the plain func"):
        report.assert_ok()


def test_outputs_without_a_gradient_and_arguments_in_a_tree_are_differentiated_twice() -> None:
    def f(p: Any, k: int) -> Any:
        return {"y": p["w"] ** k, "largest": p["w"].argmax()}

    def vjp(p: Any, k: int, dy: Any) -> Any:
        assert dy["largest"] is None
        return {"w": k * p["w"] ** (k - 1) * dy["y"]}, None

    (w,) = on("torch", X)
    assert second(check_vjp(f, vjp, {"w": w}, 3, order=2)) == {"p['w']": True, "dy['y']": True}


def test_a_plain_function_without_a_second_derivative_is_not_checked_with_the_reason() -> None:
    (x,) = on("torch", np.array([0.0, 1.0, 2.0]))
    report = check_vjp(lambda x: x**1.5, lambda x, dy: 1.5 * x**0.5 * dy, x, order=2)
    assert not report.agrees
    with pytest.raises(AssertionError, match=r"second derivative of .* is not checked: .* to x is NaN or infinite"):
        report.assert_ok()


@pytest.mark.parametrize("order", [0, 3])
def test_another_order_is_refused(order: int) -> None:
    with pytest.raises(UsageError, match="order must be 1, or 2 for what is differentiated twice, got"):
        check_vjp(squared_product, squared_product_vjp, X, W, order=order)


def on(library: str, *arrays: np.ndarray) -> list[Any]:
    if library == "numpy":
        return list(arrays)
    if library == "torch":
        torch = pytest.importorskip("torch")
        return [torch.tensor(a) for a in arrays]
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        return [jax.numpy.array(a) for a in arrays]
