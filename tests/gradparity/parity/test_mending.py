"""A wrong rule whose error no cause explains is mended by a small edit of its own source, and that is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity import check_vjp
from gradparity.parity import Report

RULES = """
import numpy as np

def norm(x, w):
    s = np.sqrt((np.array(x) ** 2).mean(axis=1, keepdims=True))
    return x / s * w

def backward(x, w, dy):
    s = np.sqrt((x ** 2).mean(axis=1, keepdims=True))
    xhat = x / s
    g = dy * w
    dx = (g - xhat * (g * xhat).mean(axis=1, keepdims=True)) / s
    dw = np.zeros(w.shape)
    for row in range(len(x)):
        dw += dy[row] * xhat[row]
    return dx, dw
"""
"""RMS norm, which no machine differentiates here: one rule of several statements."""

rng = np.random.default_rng(1)
X, W = rng.normal(size=(5, 4)), rng.normal(size=4)

Checked = Callable[[str, str], Report]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Replace a piece of the rules, and check them in a file of their own."""

    def check(was: str, instead: str) -> Report:
        assert RULES.count(was) == 1, was
        path = tmp_path / "rules.py"
        path.write_text(RULES.replace(was, instead), encoding="utf-8")
        names: dict[str, Any] = {}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        before = names["backward"].__code__
        report = check_vjp(names["norm"], names["backward"], X, W)
        assert names["backward"].__code__ is before, "the user's function is as it was"
        return report

    return check


MISTAKES = {
    # was, instead: the statement that is edited, what is said
    ("g = dy * w", "g = dy + w"): ("g = dy + w", "d['x'] has the wrong operator at w: with `dy * w`"),
    ("(g * xhat).mean(axis=1", "(g * xhat).mean(axis=0"): ("dx = (g", "d['x'] goes over axis 0 where axis 1 belongs"),
    ("(g * xhat).mean(", "(g * g).mean("): ("dx = (g", "d['x'] uses g where xhat belongs"),
    ("dw += dy[row] *", "dw = dy[row] *"): ("dw = dy", "d['w'] lets the last one win: = overwrites where += adds"),
}


@pytest.mark.parametrize("edit", MISTAKES, ids=[instead for _, instead in MISTAKES])
def test_the_edit_that_makes_a_line_right_is_told_with_its_place(edit: tuple[str, str], checked: Checked) -> None:
    statement, says = MISTAKES[edit]
    report = checked(*edit)
    text = RULES.replace(*edit).splitlines()
    number = next(i for i, line in enumerate(text, start=1) if line.strip().startswith(statement))
    (row,) = report.findings
    assert says in row.diagnosis
    assert row.place.endswith(f"rules.py:{number}")


def test_a_function_that_the_forward_pass_shares_is_not_to_blame(tmp_path: Path) -> None:
    path = tmp_path / "elu.py"
    path.write_text(
        "import numpy as np\n\ndef elu(x):\n    return np.where(x > 0, x, np.exp(np.minimum(np.array(x), 0)) - 1)\n\n"
        "def backward(x, dy):\n    return dy * np.where(x > 0, 1, elu(x))\n",
        encoding="utf-8",
    )
    names: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    (row,) = check_vjp(names["elu"], names["backward"], X).findings
    assert "no known cause fits" in row.diagnosis


def test_a_rule_that_no_small_edit_mends_is_said_to_be_so(checked: Checked) -> None:
    (row,) = checked("return dx, dw", "return np.cos(7 * dx) + dx**3, dw").findings
    assert "no known cause fits" in row.diagnosis


def test_a_right_rule_is_not_edited(checked: Checked) -> None:
    checked("return dx, dw", "return dx, 1 * dw").assert_ok()
