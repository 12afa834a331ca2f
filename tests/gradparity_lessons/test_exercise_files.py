"""The exercises themselves: what is blank, what is wrong, and that the hunted bug does not show in training."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.exercise import exercise, exercises
from gradparity.exercise.judge import judge
from gradparity.exercise.problem import problems, witness
from gradparity.subjects.model_file import load


@pytest.mark.parametrize("name", exercises())
def test_a_file_says_which_exercise_it_is_and_what_it_is_called(name: str) -> None:
    text = exercise(name).text
    assert f'exercise = "{name}"' in text
    assert text.count(f"{name.replace('-', '_')}.py") == 2
    assert max(map(len, text.splitlines())) <= 80


def test_every_line_of_softmax_regression_is_blank_and_has_a_question() -> None:
    given = exercise("softmax-regression")
    dots = [node for node in ast.walk(ast.parse(given.text)) if isinstance(node, ast.Constant) and node.value is ...]
    assert len(dots) == len(given.questions) == 3
    assert all(f'd["{line}"] = ...' in given.text for line in given.questions)


def test_the_bug_hunt_has_one_bug_and_its_repair_is_enough(tmp_path: Path) -> None:
    try:
        machine = witness()
    except UsageError as error:
        pytest.skip(str(error))
    hunt, file = exercise("bug-hunt-1"), tmp_path / "bug_hunt_1.py"
    drawn = list(problems(hunt, machine))
    file.write_text(hunt.text)
    right, wrong = judge(hunt, load(str(file)), drawn)
    assert right == ("logits", "W")
    assert wrong is not None
    assert wrong.line == "b"
    file.write_text(hunt.text.replace('d["logits"].sum()', 'd["logits"].sum(axis=0)'))
    assert judge(hunt, load(str(file)), drawn) == (("logits", "W", "b"), None)


def test_the_hunted_bug_still_trains(tmp_path: Path) -> None:
    file = tmp_path / "bug_hunt_1.py"
    file.write_text(exercise("bug-hunt-1").text)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    losses = [float(line.split()[3]) for line in done.stdout.splitlines()]
    assert len(losses) == 5
    assert np.all(np.diff(losses) < 0)
    assert float(done.stdout.split()[-1].rstrip("%")) > 90
