"""The exercises themselves: what is blank or wrong in each, and that its solution is right, also for ``check``."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import gradparity
from gradparity.errors import UsageError
from gradparity.exercise import Exercise, exercise, exercises
from gradparity.exercise.answer import answer
from gradparity.exercise.judge import Wrong, judge
from gradparity.exercise.problem import drawn, problems, witness
from gradparity.subjects.model_file import load

NAMES = list(exercises())
REPAIRS = [name for name in NAMES if "= ..." not in exercise(name).text]
Judged = Callable[[str], tuple[tuple[str, ...], Wrong | None]]


@pytest.fixture(params=NAMES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chosen(name: str) -> Exercise:
    return exercise(name)


@pytest.fixture(scope="module")
def judged(name: str, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Judge a text as the exercise's answer."""
    try:
        machine = witness()
    except UsageError as error:
        pytest.skip(str(error))
    chosen = exercise(name)
    draws = drawn(chosen)
    posed = list(problems(chosen, machine, draws))
    file = tmp_path_factory.mktemp("answers") / "my_answer.py"

    def found(text: str) -> tuple[tuple[str, ...], Wrong | None]:
        file.write_text(text, encoding="utf-8")
        return judge(chosen, answer(load(str(file)), draws), posed, file)

    return found


def test_a_file_says_which_exercise_it_is_and_what_it_is_called(name: str, chosen: Exercise) -> None:
    assert f'exercise = "{name}"' in chosen.text
    assert chosen.text.count(f" {name.replace('-', '_')}.py") == 2
    assert max(map(len, chosen.text.splitlines())) <= 80


def test_each_lesson_has_one_to_complete_and_one_to_repair() -> None:
    lessons = {exercise(name).order[0] for name in NAMES}
    for kind in (REPAIRS, [name for name in NAMES if name not in REPAIRS]):
        assert {exercise(name).order[0] for name in kind} == lessons


def test_every_line_has_a_question_and_every_blank_a_solution(chosen: Exercise) -> None:
    code = ast.unparse(ast.parse(chosen.text)).partition("def backward")[2].partition("\ndef ")[0]
    written = re.findall(r"\bd(?:\.add\(|\[)\(?'([\w.]+)'", code.partition('"""')[2].partition('"""')[2])
    assert set(written) - {"loss"} == chosen.questions.keys()
    blank = [node for node in ast.walk(ast.parse(chosen.text)) if isinstance(node, ast.Constant) and node.value is ...]
    assert len(chosen.solution) == len(blank) if blank else len(chosen.solution) == 1


def test_what_it_begins_with_is_wrong_where_its_solution_is_not(chosen: Exercise, judged: Judged) -> None:
    _, wrong = judged(chosen.text)
    assert wrong is not None
    assert wrong.line in chosen.solution
    assert wrong.blank == ("= ..." in chosen.text)
    assert judged(chosen.solved()) == (tuple(chosen.questions), None)


def test_the_solution_passes_a_check(name: str, chosen: Exercise, tmp_path: Path) -> None:
    file = tmp_path / f"{name.replace('-', '_')}.py"
    file.write_text(chosen.solved(), encoding="utf-8")
    gradparity.check(str(file), backends=["numpy", "jax"]).assert_ok()


def test_the_hunted_bug_of_the_first_lesson_still_trains(tmp_path: Path) -> None:
    file = tmp_path / "bug_hunt_1.py"
    file.write_text(exercise("bug-hunt-1").text)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    losses = [float(line.split()[3]) for line in done.stdout.splitlines()]
    assert len(losses) == 5
    assert all(after < before for before, after in pairwise(losses))
    assert float(done.stdout.split()[-1].rstrip("%")) > 90


def test_the_mistake_of_passed_hunt_passes_its_authors_own_test(tmp_path: Path) -> None:
    file = tmp_path / "passed_hunt.py"
    file.write_text(exercise("passed-hunt").text)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    assert [line.split(", ")[1] for line in done.stdout.splitlines()] == ["passed"] * 3
