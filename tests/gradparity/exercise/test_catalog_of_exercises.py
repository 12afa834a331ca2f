"""Exercises are found through entry points, written once, and recognised in a learner's file."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity.exercise import Exercise, exercise, exercises, name_in, start

Solved = Callable[..., Path]


def test_exercises_come_in_the_order_in_which_to_try_them() -> None:
    assert list(exercises()) == ["softmax-regression", "bug-hunt-1"]


def test_another_package_s_exercise_is_found_and_one_that_cannot_be_imported_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Registered(EntryPoint):
        def load(self) -> Exercise:
            return replace(exercise_1, level=0)

    exercise_1 = exercise("bug-hunt-1")
    lost = EntryPoint("lost", "no_such_package:lost", "gradparity.exercises")
    entries = [lost, Registered("mine", "my_package:mine", "gradparity.exercises")]
    monkeypatch.setattr("gradparity.exercise.catalog.entry_points", lambda **_: entries)
    assert exercises() == {"mine": replace(exercise_1, level=0)}


def test_start_writes_the_file_and_never_overwrites_one() -> None:
    path = start("bug-hunt-1")
    assert path == Path("bug_hunt_1.py")
    assert path.read_text(encoding="utf-8") == exercise("bug-hunt-1").text
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"'bug_hunt_1\.py' is there already and stays as it is"):
        start("bug-hunt-1")
    assert path.read_text() == "mine"


def test_start_says_what_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"unknown exercise 'softmax'.*did you mean 'softmax-regression'"):
        start("softmax")
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path.cwd().rmdir()
    with pytest.raises(UsageError, match=r"'bug_hunt_1\.py' cannot be written: No such file"):
        start("bug-hunt-1")


def test_a_file_says_which_exercise_it_is(solved: Solved) -> None:
    assert name_in(solved()) == "softmax-regression"


OTHER_FILES = [
    ("there.py", None, "there is no file 'there.py'"),
    ("notes.txt", "x", "an exercise's file ends in .py, got 'notes.txt'"),
    ("empty.py", "", "'empty.py' is no exercise"),
    ("other.py", "exercise = 3\ndef f(): exercise = 'bug-hunt-1'\n", "'other.py' is no exercise"),
    ("gone.py", "exercise = 'bug-hunt-0'\n", "unknown exercise 'bug-hunt-0'.*did you mean 'bug-hunt-1'"),
    ("broken.py", "x = 1\n1 +\n", "broken.py:2: Python cannot read the file, invalid syntax"),
]


@pytest.mark.parametrize(("name", "text", "says"), OTHER_FILES)
def test_any_other_file_is_one_sentence(name: str, text: str | None, says: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(UsageError, match=says):
        name_in(Path(name))
