"""A function and its backward rule get the diagnosis that models get: what is wrong, in one sentence, and where."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import check_autograd_function, check_custom_vjp, check_vjp

rng = np.random.default_rng(0)
X, W, B = rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)


def affine(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def right(x: Any, w: Any, dy: Any) -> tuple[Any, Any, Any]:
    return dy @ w.T, x.T @ dy, dy.sum(0)


MISTAKES: dict[str, tuple[Callable[[Any, Any, Any], tuple[Any, Any, Any]], str]] = {
    "negated": (lambda x, w, dy: (-(dy @ w.T), x.T @ dy, dy.sum(0)), "d['x'] has the wrong sign"),
    "a mean for a sum": (
        lambda x, w, dy: (dy @ w.T, x.T @ dy, dy.sum(0) / 5),
        "d['b'] is 5 times too small (dy has 5 rows)",
    ),
    "doubled": (lambda x, w, dy: (dy @ w.T, 2 * (x.T @ dy), dy.sum(0)), "d['w'] is 2 times too large"),
    "a share too much": (lambda x, w, dy: (dy @ w.T + x, x.T @ dy, dy.sum(0)), "d['x'] has x too much"),
    "an example left out": (
        lambda x, w, dy: (dy @ w.T, x[:-1].T @ dy[:-1], dy.sum(0)),
        "d['w'] lacks index 4 of axis 0 in x.T @ dy",
    ),
    "transposed": (
        lambda x, w, dy: (dy @ w.T, (x.T @ dy).T, dy.sum(0)),
        "d['w'] has shape (4, 3), should be (3, 4): it is transposed",
    ),
    "forgotten": (lambda _, w, dy: (dy @ w.T, None, dy.sum(0)), "d['w'] is None, but f depends on it"),
}


@pytest.fixture(params=MISTAKES)
def mistake(request: pytest.FixtureRequest) -> tuple[Callable[[Any, Any, Any], tuple[Any, Any, Any]], str]:
    return MISTAKES[request.param]


def test_a_pair_is_told_what_is_wrong(mistake: tuple[Callable[..., Any], str]) -> None:
    rule, says = mistake
    report = check_vjp(affine, lambda x, w, _, dy: rule(x, w, dy), X, W, B, constant=[])
    with pytest.raises(AssertionError) as raised:
        report.assert_ok()
    assert f"\n{says}" in str(raised.value)


def test_a_pair_that_no_machine_differentiates_is_told_as_well(mistake: tuple[Callable[..., Any], str]) -> None:
    def affine_in_numpy(x: Any, w: Any, b: Any) -> Any:
        return np.array(x) @ np.array(w) + np.array(b)

    rule, says = mistake
    report = check_vjp(affine_in_numpy, lambda x, w, _, dy: rule(x, w, dy), X, W, B, constant=[])
    assert report.witnesses == ("differences",)
    with pytest.raises(AssertionError) as raised:
        report.assert_ok()
    assert f"\n{says}" in str(raised.value)


def test_a_function_of_pytorch_is_told_what_is_wrong(mistake: tuple[Callable[..., Any], str]) -> None:
    torch = pytest.importorskip("torch")
    rule, says = mistake
    if "shape" in says:
        pytest.skip("PyTorch itself refuses another shape")

    class Affine(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any, b: Any) -> Any:
            ctx.save_for_backward(x, w)
            return affine(x, w, b)

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            return rule(*ctx.saved_tensors, dy)

    report = check_autograd_function(Affine, affine, X, W, B, constant=[])
    sentences = {row.diagnosis for row in report.disagreements if row.backend == "Affine"}
    assert sentences
    assert all(sentence.startswith(says) for sentence in sentences)


def test_a_custom_vjp_is_told_what_is_wrong() -> None:
    jax = pytest.importorskip("jax")
    fused = jax.custom_vjp(affine)
    fused.defvjp(
        lambda x, w, b: (affine(x, w, b), (x, w)), lambda kept, dy: (-(dy @ kept[1].T), kept[0].T @ dy, dy.sum(0))
    )
    report = check_custom_vjp(fused, affine, X, W, B)
    sentences = {row.diagnosis for row in report.disagreements if "vmap" not in row.backend}
    assert sentences == {"d['x'] has the wrong sign"}


def test_a_right_pair_says_nothing() -> None:
    report = check_vjp(affine, lambda x, w, _, dy: right(x, w, dy), X, W, B)
    report.assert_ok()
    assert not any(row.diagnosis for row in report.rows)
