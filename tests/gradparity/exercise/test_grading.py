"""A class's files as one table: how many lines are right, in a terminal, as CSV, as a page, as Gradescope reads it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity.exercise import grade
from gradparity.exercise.grading import as_csv

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "grading"


@pytest.fixture
def submissions(solved: Callable[..., Path]) -> Path:
    for student in ("ada", "bob", "=eve"):
        Path("class", student).mkdir(parents=True)
    solved(name="class/ada/right.py")
    Path("class", "ada", "notes.py").write_text("print(1)")
    solved({"W": 'd["W"] = 0 * p["W"]'}, name="class/bob/wrong.py")
    Path("class", "=eve", "empty.py").write_text("")
    return Path("class")


def test_a_class_is_one_table(submissions: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = run("grade", submissions, "--csv", "g.csv", "--html", "g.html", "--json", "g.json", "--seed", "3")
    assert status == 1
    assert "1 of 3 files are right." in out
    rows = list(csv.DictReader(Path("g.csv").read_text().splitlines()))
    assert [(row["student"], row["exercise"], row["right"], row["lines"]) for row in rows] == [
        ("'=eve", "", "0", "0"),
        ("ada", "softmax-regression", "3", "3"),
        ("bob", "softmax-regression", "1", "3"),
    ]
    assert "class/bob/wrong.py:34: d['W'] (7, 5): it is zero everywhere" in rows[2]["remark"]
    tests = json.loads(Path("g.json").read_text())["tests"]
    assert [(each["score"], each["max_score"], each["status"]) for each in tests] == [
        (0, 0, "failed"),
        (3, 3, "passed"),
        (1, 3, "failed"),
    ]
    page = Path("g.html").read_text()
    assert "it is zero everywhere" in page
    assert "1 of 3 files are right." in page


def test_a_folder_of_one_student_s_files_is_that_student(
    submissions: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    assert run("grade", submissions / "ada", "--json", "one.json")[0] == 0
    assert [each["name"] for each in json.loads(Path("one.json").read_text())["tests"]] == ["ada: softmax-regression"]


def test_the_numbers_are_new_unless_a_seed_is_given(solved: Callable[..., Path]) -> None:
    Path("one").mkdir()
    solved({"b": 'd["b"] = d["logits"].sum(axis=0)\n    print(batch.x[0, 0])'}, name="one/a.py")
    from gradparity.exercise.judge import judge_file

    seen = [judge_file(Path("one/a.py"), seed=seed).printed for seed in (0, 0, 1)]
    assert seen[0] == seen[1] != seen[2]


def test_nothing_to_grade_is_said() -> None:
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="there is no Python file below 'empty'"):
        grade(Path("empty"))
    with pytest.raises(UsageError, match="there is no folder 'gone'"):
        grade(Path("gone"))
    assert as_csv([]) == "student,exercise,right,lines,remark,file\n"


def test_the_examples_ask_for_what_there_is(solved: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    solved({"W": 'd["W"] = 0 * p["W"]'}, name="softmax_regression.py")
    exec((EXAMPLES / "nbgrader.py").read_text())
    assert "softmax_regression.py:34: d['W']: it is zero everywhere" in capsys.readouterr().out
    gradescope = (EXAMPLES / "gradescope" / "run_autograder").read_text()
    assert "gradparity exercise grade submission --json - > results/results.json" in gradescope
    otter = (EXAMPLES / "otter" / "q1.py").read_text()
    assert all(f'"{line}" in right_lines()' in otter for line in ("logits", "W", "b"))
