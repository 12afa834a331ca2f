"""Exercises are found through entry points, written once, and recognised in a learner's file."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gradparity.errors import UsageError
from gradparity.exercise import Exercise, exercise, exercises, name_in, start

Solved = Callable[..., Path]


def test_exercises_come_in_the_order_of_the_lessons() -> None:
    orders = [each.order for each in exercises().values()]
    assert orders == sorted(orders)
    assert list(exercises())[:4] == ["gated-neuron", "slope-hunt", "softmax-regression", "bug-hunt-1"]


def test_a_folder_of_a_registered_package_is_an_exercise_and_a_package_that_is_gone_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path("my_course", "two_layers")
    folder.mkdir(parents=True)
    (folder.parent / "no_exercise").mkdir()
    Path("my_course", "__init__.py").touch()
    (folder / "exercise.toml").write_text('lesson = 3\nplace = 1\ntask = "Do."\n[questions]\na = "Which?"\n')
    (folder / "start.py.txt").write_text('exercise = "two-layers"\n')
    monkeypatch.syspath_prepend(".")
    entries = [EntryPoint("x", name, "gradparity.exercises") for name in ("no_such_package", "my_course")]
    monkeypatch.setattr("gradparity.exercise.catalog.entry_points", lambda **_: entries)
    assert exercises() == {"two-layers": Exercise((3, 1), "Do.", 'exercise = "two-layers"\n', {"a": "Which?"})}
    (folder / "exercise.toml").write_text('lesson = 3\ntask = "Do."\n')
    with pytest.raises(UsageError, match=r"two_layers' cannot be read, 'place': it needs start.py.txt"):
        exercises()


TWICE = """
def backward(p, batch, c, d):
    g = d["loss"]
    d["a"] = ...  # (n,)
    for t in range(2):
        d.add("b", g)
    d["b2"] = 0
"""


def test_a_solution_takes_the_place_of_what_writes_its_line() -> None:
    solved = Exercise((1, 1), "", TWICE, {}, {"a": 'g = 2\nd["a"] = g', "b": 'd["b"] = 3'}).solved()
    assert [line.strip() for line in solved.splitlines()[3:]] == [
        "g = 2", 'd["a"] = g', "for t in range(2):", 'd["b"] = 3', 'd["b2"] = 0'
    ]  # fmt: skip
    given = Exercise((1, 1), "", TWICE, {}, {"a": 'd["a"] = 1'})
    assert [given.lines_of(line) for line in ("a", "b")] == ['d["a"] = 1', "d.add('b', g)"]


@pytest.mark.fault(kind="output")
def test_start_writes_the_file_and_never_overwrites_one() -> None:
    path = start("bug-hunt-1")
    assert path == Path("bug_hunt_1.py")
    assert path.read_text(encoding="utf-8") == exercise("bug-hunt-1").text
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"'bug_hunt_1\.py' is there already and stays as it is"):
        start("bug-hunt-1")
    assert path.read_text() == "mine"


@pytest.mark.fault(kind="machine")
def test_start_says_what_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"unknown exercise 'softmax-regresion'.*did you mean 'softmax-regression'"):
        start("softmax-regresion")
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


@pytest.mark.fault(kind="exercise")
@pytest.mark.parametrize(("name", "text", "says"), OTHER_FILES)
def test_any_other_file_is_one_sentence(name: str, text: str | None, says: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(UsageError, match=says):
        name_in(Path(name))
