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


def as_notebook(script: str) -> str:
    """Cut a script into cells at its empty lines."""
    cells = [{"cell_type": "markdown", "source": ["# Softmax regression"]}]
    cells += [{"cell_type": "code", "source": part.splitlines(keepends=True)} for part in script.split("\n\n\n")]
    cells.insert(1, {"cell_type": "code", "source": ["if True:\n", "    %matplotlib inline"]})
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
    with pytest.raises(AssertionError, match=rf"lesson\{kind}:\d+"):
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
