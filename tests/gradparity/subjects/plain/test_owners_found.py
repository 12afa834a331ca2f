"""Whose gradient it is that has no telling name: by what it updates, by the layer that returns it, by a longer name."""

# ruff: noqa: SIM108 - branches are what is tested

from pathlib import Path

import numpy as np
import pytest

from gradparity import UsageError
from gradparity.subjects.plain import check_code, check_file
from gradparity.subjects.plain.names import abbreviates, is_derivative, is_loss

UPDATED = """
import numpy as np
X, y, w = np.arange(12.0).reshape(4, 3) ** 0.5, np.ones(4), np.zeros(3)
for _ in range(3):
    loss = np.mean((X @ w - y) ** 2) + 0.1 * (w @ w)
    slope = 2 * X.T @ (X @ w - y) / 4
    grad = slope + {factor} * w
    w = w - 0.1 * grad
"""


@pytest.mark.parametrize(("factor", "agrees"), [(0.2, True), (0.1, False)])
def test_what_a_multiple_of_a_gradient_is_subtracted_from_owns_it_and_zero_weights_hide_no_penalty(
    tmp_path: Path, factor: float, agrees: bool
) -> None:
    path = tmp_path / "updated.py"
    path.write_text(UPDATED.format(factor=factor), encoding="utf-8")
    report = check_file(str(path))
    assert report.agrees is agrees
    assert {row.line for row in report.rows} == {"grad"}
    assert any("w: all entries were alike" in remark for remark in report.remarks)


def by_key(x: np.ndarray, y: np.ndarray, p: dict[str, np.ndarray], twice: float) -> tuple[float, dict[str, np.ndarray]]:
    r = x @ p["W"] + p["b"] - y
    loss = 0.5 * np.sum(r**2)
    q = {}
    q["W"] = x.T @ r
    q["b"] = twice * r.sum(0)
    return loss, q


@pytest.mark.parametrize("twice", [1.0, 2.0])
def test_a_dictionary_with_the_parameters_keys_holds_gradients_whatever_it_is_called(twice: float) -> None:
    rng = np.random.default_rng(0)
    p = {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    report = check_code(by_key, rng.normal(size=(5, 4)), rng.normal(size=(5, 3)), p, twice)
    assert {row.line: row.agrees for row in report.rows} == {"q['W']": True, "q['b']": twice == 1}
    assert not [remark for remark in report.remarks if "not run" in remark]


def after_a_step(x: np.ndarray, y: np.ndarray, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    r = x @ p["W"] + p["b"] - y
    loss = 0.5 * np.sum(r**2)
    new = {}
    new["W"] = p["W"] - 0.01 * (x.T @ r)
    new["b"] = p["b"] - 0.01 * r.sum(0)
    return loss, new


def test_parameters_after_a_step_are_not_taken_for_gradients() -> None:
    rng = np.random.default_rng(0)
    p = {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    with pytest.raises(UsageError, match="nothing that is written is the gradient"):
        check_code(after_a_step, rng.normal(size=(5, 4)), rng.normal(size=(5, 3)), p)


@pytest.mark.parametrize(
    ("short", "long", "does"),
    [
        ("CenterVecs", "centerWordVectors", True),
        ("w", "weights", True),
        ("inputs", "last_input", True),
        ("x", "x_hat", False),
        ("OutsideVecs", "centerWordVectors", False),
    ],
)
def test_a_name_shortens_another_one(short: str, long: str, does: bool) -> None:
    assert abbreviates(short, long) is does


def test_losses_and_derivatives_are_known_by_their_names() -> None:
    assert all(map(is_loss, ["loss", "d_loss", "total_loss", "losses[-1]", "J"]))
    assert not any(map(is_loss, ["gloss", "lossless", "x"]))
    assert is_derivative("Net.dsigmoid")
    assert not is_derivative("Net.backward")


def relu(z: np.ndarray, leaky: bool) -> float:
    if leaky:
        a = np.where(z > 0, z, 0.1 * z)
    else:
        a = np.maximum(z, 0)
    loss = float(np.sum(a**2))
    da = 2 * a
    if leaky:
        dz = da * np.where(z > 0, 1, 0.1)
    else:
        dz = da  # wrong, and not run
    return loss + 0 * float(dz.sum())


def test_a_branch_that_was_not_run_is_named() -> None:
    report = check_code(relu, np.array([0.5, -0.3, 1.2]), True)
    assert report.agrees
    assert any(remark.startswith("dz in line") and "was not run" in remark for remark in report.remarks)


@pytest.mark.fault(kind="file")
def test_what_asks_for_input_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "asks.py"
    path.write_text("n = int(input())\nloss = n * 1.0\ndn = 1.0\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"asks\.py:1: asks for input\(\)"):
        check_file(str(path))
