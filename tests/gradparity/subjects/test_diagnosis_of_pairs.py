"""A function and its backward rule get the diagnosis that models get: what is wrong, in one sentence, and where."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity import check_autograd_function, check_custom_vjp, check_vjp
from gradparity.parity.report import describe

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


def returned_at_once(x: Any, w: Any, _: Any, dy: Any) -> Any:
    return -(dy @ w.T), x.T @ dy, dy.sum(0)


def in_variables(x: Any, w: Any, _: Any, dy: Any) -> Any:
    db = dy.sum(0)
    dx = dy @ w.T
    dx *= -1
    return dx, x.T @ dy, db


def not_one_by_one(x: Any, w: Any, _: Any, dy: Any) -> Any:
    every = [-(dy @ w.T), x.T @ dy, dy.sum(0)]
    return tuple(every)


@pytest.mark.parametrize(
    ("rule", "line"), [(returned_at_once, "return"), (in_variables, "dx *= -1"), (not_one_by_one, "def")]
)
def test_a_pair_is_told_on_which_line_a_gradient_is_made(rule: Callable[..., Any], line: str) -> None:
    (row,) = check_vjp(affine, rule, X, W, B).findings
    lines, first = inspect.getsourcelines(rule)
    number = first + next(i for i, text in enumerate(lines) if text.strip().startswith(line))
    assert row.place == f"tests/gradparity/subjects/test_diagnosis_of_pairs.py:{number}"
    assert f"({row.place}, {rule.__name__} against " in describe(row)


def test_a_tree_is_told_on_which_line_each_gradient_is_made(tmp_path: Path) -> None:
    lines = ["def rule(p, x, dy):", "    d = {}", "    d['W'] = -(x.T @ dy)", "    return d, dy @ p['W'].T"]
    (tmp_path / "mine.py").write_text("\n".join(lines), encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile("\n".join(lines), str(tmp_path / "mine.py"), "exec"), names)
    (row,) = check_vjp(lambda p, x: x @ p["W"], names["rule"], {"W": W}, X).findings
    assert row.place == f"{tmp_path / 'mine.py'}:3"


def test_a_wrong_pair_is_told_with_the_smallest_numbers_at_which_it_is_wrong() -> None:
    report = check_vjp(affine, lambda x, w, _b, dy: (dy @ w.T, x.T @ dy, dy.mean(0)), X, W, B)
    (row,) = report.findings
    assert row.example == "at dy = [[0], [1]], all else 0: d['b'] is [0.5], should be [1]"


def layer(x: Any, w: Any) -> Any:
    return np.tanh(x @ w)


def layer_vjp(x: Any, w: Any, dy: Any) -> Any:
    dz = dy * (1 - np.tanh(x @ w))
    return dz @ w.T, x.T @ dz


@pytest.mark.parametrize("width", [5, 150], ids=["entry by entry", "along random directions"])
def test_an_edit_is_told_however_large_the_arrays(width: int) -> None:
    """For NumPy alone, so that no machine tells the gradients."""
    report = check_vjp(layer, layer_vjp, rng.normal(size=(width, width)), rng.normal(size=(width, width)))
    said = " ".join(str(report).split())
    assert said.count("with `np.tanh(x @ w) ** 2` in place of `np.tanh(x @ w)` it is right") == 1
    assert len(report.disagreements) == 2


def test_of_a_kernel_that_loses_what_is_beyond_a_block_the_smallest_shape_is_told() -> None:
    def square(x: Any) -> Any:
        return x * x

    def in_one_block(x: Any, dy: Any) -> Any:
        g = 0 * x
        g[:64] = 2 * x[:64] * dy[:64]
        return g

    (row,) = check_vjp(square, in_one_block, rng.normal(size=(200, 3))).findings
    assert row.example == "in the shapes x (65, 1), dy (65, 1)"


def test_a_softmax_over_the_wrong_axis_is_hinted_at() -> None:
    def loss(w: Any, x: Any, y: Any) -> Any:
        e = np.exp(x @ w)
        p = e / e.sum(axis=0)
        return -np.log(p[np.arange(len(y)), y]).mean()

    def vjp(w: Any, x: Any, y: Any, dy: Any) -> Any:
        e = np.exp(x @ w)
        p = e / e.sum(axis=0)
        p[np.arange(len(y)), y] -= 1
        return dy * x.T @ p / len(y), None, None

    (row,) = check_vjp(loss, vjp, W, X, np.array([0, 3, 1, 2, 1])).findings
    assert "do not sum to 1, its columns do: is a softmax taken over the wrong axis?" in row.diagnosis


def test_what_the_user_accepts_holds_for_the_jacobian_too() -> None:
    pytest.importorskip("torch")

    def nearly(x: Any, dy: Any) -> Any:
        return 2 * x * dy * (1 + 1e-7)

    assert check_vjp(lambda x: x * x, nearly, X, rtol=1e-6).agrees
    assert not check_vjp(lambda x: x * x, nearly, X).agrees
