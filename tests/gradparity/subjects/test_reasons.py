"""Right up to float32 inside, or to a guard: recognised by measurement, and said; without a reason it stays wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from gradparity import check_autograd_function, check_vjp
from gradparity.parity.derivative import single_noise
from gradparity.parity.guards import guards_in, reduced

rng = np.random.default_rng(0)
X, W = rng.normal(size=(5, 3)), rng.normal(size=3)
EPSILON = 1e-9


def single(x: Any) -> Any:
    return np.asarray(x, dtype=np.float32)


def squared_norm(x: Any) -> Any:
    return (single(x) ** 2).sum(axis=1).astype(np.float64)


def of_squared_norm(x: Any, dy: Any, factor: float = 1.0) -> Any:
    return (factor * 2 * single(x) * single(dy)[:, None]).astype(np.float64)


def test_a_function_in_float32_is_measured_with_its_own_noise() -> None:
    report = check_vjp(squared_norm, of_squared_norm, X)
    report.assert_ok()
    assert any("squared_norm computes in float32 inside" in remark for remark in report.remarks)
    assert not check_vjp(squared_norm, lambda x, dy: of_squared_norm(x, dy, 0.0), X).agrees
    assert not check_vjp(squared_norm, lambda x, dy: of_squared_norm(x, dy, 1.001), X).agrees


def plain(x: Any) -> Any:
    return (x * x).sum(axis=1)


def test_a_rule_in_float32_is_judged_by_its_budget_and_said() -> None:
    report = check_vjp(plain, of_squared_norm, X)
    report.assert_ok()
    assert any("of_squared_norm computes in float32 inside: judged by" in remark for remark in report.remarks)
    assert all(row.limit < 1e-4 for row in report.rows)
    assert not check_vjp(plain, lambda x, dy: of_squared_norm(x, dy, 1.0001), X).agrees


def test_a_rule_that_is_only_partly_in_float32_is_recognised() -> None:
    def residual(x: Any, dy: Any) -> Any:
        return x * dy[:, None] + single(x * dy[:, None]).astype(np.float64)

    check_vjp(plain, residual, X).assert_ok()


@pytest.mark.parametrize("relative", [1e-8, 1e-7, 1e-6, 1e-5])
def test_the_same_error_in_float64_stays_a_disagreement(relative: float) -> None:
    report = check_vjp(plain, lambda x, dy: (1 + relative) * 2 * x * dy[:, None], X)
    assert {row.line for row in report.disagreements} == {"x"}


def test_float32_numbers_alone_are_no_reason() -> None:
    """A rule that returns float32's numbers because its arguments are some still computes in float64."""
    coarse = single(X).astype(np.float64)
    report = check_vjp(plain, lambda x, dy: 2 * x * dy[:, None] * (1 + 1e-7), coarse)
    assert not report.agrees


def test_a_function_of_pytorch_in_float32_is_recognised_in_every_way() -> None:
    torch = pytest.importorskip("torch")

    class Single(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return (x.float() ** 2).sum(1).to(x.dtype)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            (x,) = ctx.saved_tensors
            return (2 * x.float() * dy.float()[:, None]).to(x.dtype)

    report = check_autograd_function(Single, plain, X)
    report.assert_ok()
    assert sum("Single computes in float32 inside" in remark for remark in report.remarks) == 1


def log_of(guard: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        return np.log(guard(x * x))

    return f


class Settings:
    def __init__(self) -> None:
        self.eps = 1e-9

    def guard(self, p: Any) -> Any:
        return p + self.eps


def with_default(p: Any, eps: float = 1e-9) -> Any:
    return p + eps


def with_closure(eps: float) -> Callable[[Any], Any]:
    return lambda p: p + eps


GUARDS: dict[str, Callable[[Any], Any]] = {
    "in the line": lambda p: p + 1e-9,
    "of the module": lambda p: p + EPSILON,
    "a default value": with_default,
    "in a closure": with_closure(1e-9),
    "of an object": Settings().guard,
    "in a partial function": partial(with_default),
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
def test_a_guard_that_the_rule_ignores_is_named(guard: Callable[[Any], Any]) -> None:
    x = X + np.sign(X) * 0.2
    report = check_vjp(log_of(guard), lambda x, dy: 2 * dy / x, x)
    report.assert_ok()
    assert any("is right up to the guard 1e-09 in " in remark for remark in report.remarks), report.remarks
    assert check_vjp(log_of(guard), lambda x, dy: 2 * dy * x / guard(x * x), x).remarks[-1].find("guard") < 0
    assert not check_vjp(log_of(guard), lambda x, dy: 2 * dy / x * (1 + 1e-7), x).agrees


def test_a_small_number_in_the_backward_pass_alone_is_no_guard() -> None:
    def loss_and_gradient(x: Any) -> tuple[Any, Any]:
        return (x * x).sum(), 2 * x * (1 + EPSILON * 10) + 1e-8

    def rule(x: Any, dy: Any) -> Any:
        return loss_and_gradient(x)[1] * dy

    assert not check_vjp(lambda x: loss_and_gradient(x)[0], rule, X).agrees


def test_what_is_no_guard_but_part_of_the_formula_is_not_excused() -> None:
    """Batch normalisation's 1e-5 belongs into its derivative."""
    assert not check_vjp(log_of(lambda p: p + 1e-5), lambda x, dy: 2 * dy / x, X).agrees


def test_guards_are_put_back() -> None:
    functions = [GUARDS["in the line"], with_default, GUARDS["of an object"]]
    found = guards_in(functions)
    assert {guard.value for guard in found} == {1e-9}
    before = [function(np.zeros(1)) for function in functions]
    with reduced(found):
        assert all(function(np.zeros(1)) < 1e-14 for function in functions)
    assert [function(np.zeros(1)) for function in functions] == before


@pytest.mark.parametrize(
    ("f", "is_single"),
    [
        (lambda t: float(np.float32(np.sin(1.3 + t)) * np.float32(1.7)), True),
        (lambda t: float(np.sin(1.3 + t)), False),
        (lambda t: abs(t - 1e-6) * 3, False),
        (lambda t: float(np.abs(t - np.arange(1, 90) * 1e-7).sum()), False),
        (lambda _: 1.0, False),
    ],
)
def test_noise_of_float32_is_told_from_a_smooth_function_and_from_kinks(
    f: Callable[[float], float], is_single: bool
) -> None:
    assert (single_noise(f) is not None) is is_single
