"""The four lines of the notebook that the project began as, unchanged, in a script and in a notebook."""

import json
from pathlib import Path

import pytest

from gradparity import UsageError
from gradparity.parity.report import Report
from gradparity.subjects.plain import check_file

SCRIPT = Path(__file__).with_name("softmax.py.txt").read_text(encoding="utf-8")
LOSS = "cross_entropy(P, Yb)"

MISTAKES = [
    ("(P - Yb) / Xb.shape[0]", "P - Yb", "grad_logits", "n times too large"),
    ("(P - Yb) / Xb.shape[0]", "(Yb - P) / Xb.shape[0]", "grad_logits", "wrong sign"),
    ("(P - Yb) / Xb.shape[0]", "(P + Yb) / Xb.shape[0]", "grad_logits", "Yb too much"),
    ("(P - Yb) / Xb.shape[0]", "P / Xb.shape[0]", "grad_logits", "(1/n) * Yb too much"),
    ("(P - Yb) / Xb.shape[0]", "P * (P - Yb) / Xb.shape[0]", "grad_logits", ""),
    ("Xb.T @ grad_logits", "Xb.T @ grad_logits / Xb.shape[0]", "gW", "n times too small"),
    ("Xb.T @ grad_logits", "Xb[:-1].T @ grad_logits[:-1]", "gW", "lacks example 7"),
    ("Xb.T @ grad_logits", "Xb.T @ P", "gW", ""),
    ("grad_logits.sum(axis=0)", "grad_logits.mean(axis=0)", "gb", "n times too small"),
    ("grad_logits.sum(axis=0)", "-grad_logits.sum(axis=0)", "gb", "wrong sign"),
]


JUPYTERS = [
    "if True:\n    %matplotlib inline",
    "files = !ls\nlen?\nget_ipython().magic('time')",
    "%%bash\nls | grep 'x",
]


def as_notebook(script: str, last: str = "for broken in (") -> str:
    """Cut a script into cells at its empty lines, among others of which Python can read only a part."""
    parts = [*JUPYTERS, *script.split("\n\n\n"), last]
    cells = [{"cell_type": "markdown", "source": ["# Softmax regression"]}]
    cells += [{"cell_type": "code", "source": part.splitlines(keepends=True)} for part in parts]
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


def checked(folder: Path, kind: str, script: str) -> Report:
    path = folder / f"lesson{kind}"
    path.write_text(script if kind == ".py" else as_notebook(script), encoding="utf-8")
    return check_file(str(path), loss=LOSS)


@pytest.mark.parametrize("kind", [".py", ".ipynb"])
def test_the_right_lines_agree(tmp_path: Path, kind: str) -> None:
    report = checked(tmp_path, kind, SCRIPT)
    report.assert_ok()
    assert {row.name for row in report.rows} == {"gW", "gb"}
    assert [line.about for listing in report.listings for line in listing.lines if line.sign == "✓"] == [
        "∂L/∂(Xb @ W + b), by its numbers",
        "∂L/∂W",
        "∂L/∂b",
    ]


@pytest.mark.parametrize("kind", [".py", pytest.param(".ipynb", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("was", "instead", "name", "says"), MISTAKES)
def test_of_ten_mistakes_the_wrong_line_is_named(
    tmp_path: Path, kind: str, was: str, instead: str, name: str, says: str
) -> None:
    assert SCRIPT.count(was) == 1
    wrong = SCRIPT.replace(was, instead)
    report = checked(tmp_path, kind, wrong)
    (found,) = report.findings
    assert found.name == name
    assert found.diagnosis.startswith(name)
    assert says in found.diagnosis
    (line,) = [line for listing in report.listings for line in listing.lines if line.sign == "✗"]
    assert line.text.strip() == next(each.strip() for each in wrong.splitlines() if instead in each)
    with pytest.raises(AssertionError, match=rf"lesson\{kind}" + (r":\d+" if kind == ".py" else r", cell \d, line \d")):
        report.assert_ok()


def test_without_the_loss_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "lesson.py"
    path.write_text(SCRIPT, encoding="utf-8")
    with pytest.raises(UsageError, match="no loss"):
        check_file(str(path))


def test_the_file_is_not_changed_and_nothing_is_left_of_its_run(tmp_path: Path) -> None:
    checked(tmp_path, ".py", SCRIPT)
    assert (tmp_path / "lesson.py").read_text(encoding="utf-8") == SCRIPT
    assert [each.name for each in tmp_path.iterdir()] == ["lesson.py"]


def test_what_gradparity_itself_calls_in_a_notebook_is_no_call_of_its_author(tmp_path: Path) -> None:
    model = """import gradparity
from types import SimpleNamespace
def forward(p, batch, c):
    c["z"] = batch.x @ p["W"]
    c["loss"] = (c["z"] ** 2).sum()
def backward(p, batch, c, d):
    d["z"] = 2 * c["z"]
    d["W"] = batch.x.T @ d["z"]
shapes = {"param_shapes": {"W": (3, 2)}, "input_shape": (3,), "target_shape": (2,)}
gradparity.check(SimpleNamespace(forward=forward, backward=backward, **shapes))
"""
    (tmp_path / "model.ipynb").write_text(as_notebook(model, last=""), encoding="utf-8")
    with pytest.raises(UsageError, match="only gradparity calls forward"):
        check_file(str(tmp_path / "model.ipynb"))


def test_a_cell_that_python_cannot_read_is_told_when_the_run_comes_to_it(tmp_path: Path) -> None:
    (tmp_path / "lesson.ipynb").write_text(
        as_notebook("x = (\n\n\nfor i in range(3):\n    z = i\n    dz = 2 * z"), encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"lesson.ipynb, cell 4, line 1: raises SyntaxError: '\(' was never closed"):
        check_file(str(tmp_path / "lesson.ipynb"))
