"""What is returned, kept or subtracted as a gradient without being called one is judged, or said not to be checked."""

from pathlib import Path

import pytest

from gradparity.subjects.plain import check_file

STEP = """
import numpy as np
rng = np.random.default_rng(0)
x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
p = {{"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}}
def step(x, y, p):
    W, b = p["W"], p["b"]
    r = x @ W + b - y
    loss = 0.5 * np.sum(r**2)
    {rest}
loss, *_ = step(x, y, p)
"""
UNTOLD = {
    "u": "dW = x.T @ r; u = {twice} * r.sum(0); return loss, dW, u",
    "g['bias']": "g = {{}}; g['W'] = x.T @ r; g['bias'] = {twice} * r.sum(0); return loss, g",
    "g['bias'] too": "g = {{}}; g['W'] = x.T @ r; g['bias'] = {twice} * r.sum(0); g['W'] = 1 * g['W']; return loss, g",
    "return[1][1]": "dW = x.T @ r; return loss, (dW, {twice} * r.sum(0))",
    "u used": "dW = x.T @ r; u = {twice} * r.sum(0); b = b - 0.1 * u; return loss, dW",
}
BY_KEY = {
    "g.update": "g = {{}}; g.update(W=x.T @ r, b={twice} * r.sum(0)); return loss, g",
    "returned": "return loss, {{'W': x.T @ r, 'b': {twice} * r.sum(0)}}",
    "zeros": "g = {{k: 0 * v for k, v in p.items()}}; g['W'] += x.T @ r; g['b'] += {twice} * r.sum(0); return loss, g",
    "nested": "o = {{'l': {{}}}}; o['l']['W'] = x.T @ r; o['l']['b'] = {twice} * r.sum(0); return loss, o",
}


def written(folder: Path, rest: str, twice: int) -> str:
    path = folder / "step.py"
    path.write_text(STEP.format(rest=rest.format(twice=twice)), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("case", UNTOLD)
def test_what_only_goes_where_gradients_go_is_no_silence_and_right_by_its_numbers(tmp_path: Path, case: str) -> None:
    check_file(written(tmp_path, UNTOLD[case], 1)).assert_ok()
    report = check_file(written(tmp_path, UNTOLD[case], 2))
    (left,) = report.unchecked
    assert left.what == case.partition(" ")[0]
    assert "may be the gradient of p['b']" in left.reason
    assert not report.agrees
    assert "agree" not in report.table.headline or report.table.headline.startswith("Not checked")


def test_what_is_named_by_the_user_is_judged(tmp_path: Path) -> None:
    report = check_file(written(tmp_path, UNTOLD["u"], 2), names=["u=b"])
    assert [row.line for row in report.findings] == ["u"]


@pytest.mark.parametrize("case", BY_KEY)
@pytest.mark.parametrize("twice", [1, 2])
def test_a_file_whose_only_gradients_share_the_parameters_keys_is_checked(
    tmp_path: Path, case: str, twice: int
) -> None:
    report = check_file(written(tmp_path, BY_KEY[case], twice))
    assert len({row.line for row in report.rows}) == 2
    assert [row.line.endswith("['b']") for row in report.findings] == [True] * (twice - 1)


def test_what_is_predicted_or_stepped_to_is_no_gradient(tmp_path: Path) -> None:
    rest = (
        "dW = x.T @ r; db = r.sum(0); new = {{}}; new['W'] = W - 0.01 * dW; new['b'] = b - 0.01 * db; return loss, new"
    )
    check_file(written(tmp_path, rest, 1)).assert_ok()
