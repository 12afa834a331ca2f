from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import check_custom_vjp
from gradparity.errors import UsageError
from gradparity.parity import Report

jax = pytest.importorskip("jax")

X = np.random.default_rng(0).normal(size=5)
EVERY = {("", "float64"), (" under jit", "float64"), (" under vmap", "float64"), ("", "float32")}


def scaled_exp(x: Any, scale: Any) -> Any:
    return scale * jax.numpy.exp(x)


def check(backward: Callable[[Any, Any], Any]) -> Report:
    def mine(x: Any, scale: Any) -> Any:
        return scaled_exp(x, scale)

    rule = jax.custom_vjp(mine)
    rule.defvjp(lambda x, scale: (scaled_exp(x, scale), (x, scale)), backward)
    return check_custom_vjp(rule, scaled_exp, X, X[::-1])


def right(saved: Any, dy: Any) -> tuple[Any, Any]:
    x, scale = saved
    return dy * scaled_exp(x, scale), dy * jax.numpy.exp(x)


def failing(report: Report) -> set[tuple[str, str]]:
    return {(row.backend.removeprefix("mine"), row.lane) for row in report.disagreements}


def test_a_right_rule_agrees_in_every_way() -> None:
    report = check(right)
    report.assert_ok()
    assert {(row.backend.removeprefix("mine"), row.lane) for row in report.rows} == EVERY


def test_a_wrong_gradient_disagrees_in_every_way_and_the_other_in_none() -> None:
    report = check(lambda saved, dy: (right(saved, dy)[0] * 1.001, right(saved, dy)[1]))
    assert failing(report) == EVERY
    assert {row.line for row in report.disagreements} == {"x"}


def test_a_rule_that_looks_at_values_is_found_under_jit() -> None:
    def backward(saved: Any, dy: Any) -> Any:
        return right(saved, dy) if float(saved[0].sum()) < 1e9 else (None, None)

    report = check(backward)
    assert failing(report) == EVERY - {("", "float64")}
    assert "raises ConcretizationTypeError" in report.disagreements[0].note


def test_a_rule_that_loses_digits_is_found_in_float32_alone() -> None:
    def backward(saved: Any, dy: Any) -> Any:
        dx, dscale = right(saved, dy)
        large = 1e4 * jax.numpy.exp(saved[0])  # XLA would cancel a constant
        return dx, (dscale + large) - large

    report = check(backward)
    assert {(row.line, row.lane) for row in report.disagreements} == {("scale", "float32")}


def test_without_jax_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity.subjects.custom_vjp.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs JAX, which is not installed: run  pip install 'gradparity"):
        check(right)
