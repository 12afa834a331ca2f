"""No output tells the answer: every known bug planted in every line of every exercise, and all that is then printed."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradparity.exercise
from gradparity.exercise import Exercise, Outcome, exercise, exercises
from gradparity.exercise.answer import answer
from gradparity.exercise.judge import judge, shapes
from gradparity.exercise.problem import DRAWS, drawn, given
from gradparity.parity.problem import Problem
from gradparity.subjects.model_file import UserModel, load
from gradparity_mutants.mutants import Mutant, mutants

TELLING = ("@", "*", " / ", "sum(", "exp", ".T", "one_hot", "one-hot", "eye", "softmax(", "mean(", "axis=", "should be")
"""What every way to write the right line has some of."""
ALLOWED = {str(n) for n in (*DRAWS, *range(1, 4))}
"""Examples, and the rungs of the ladder."""
NAMES = re.compile(r"exercise \w+ \S+|d\['\S+'(, \d+)?\]|\S+\.py(:\d+)?|\((\d*n|\d+)(, \d+)*,?\)|\(\)")
"""Names, places and shapes."""


def planted(chosen: Exercise, learner: UserModel, problem: Problem) -> list[Mutant]:
    other = given(chosen).example_batch(np.random.default_rng(5), problem.n)
    found = mutants(learner.hand, problem.params, problem.batch, other)
    return [m for m in found if m.symbol == "d" and not m.equivalent and m.line in chosen.questions]


QUICK = ("softmax-regression",)
"""The others plant as many bugs each."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in exercises()]
)
def test_nothing_that_is_printed_tells_the_answer(
    name: str,
    posed: Callable[[str], list[Problem]],
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen, problems = exercise(name), posed(name)
    path = Path("my_answer.py")
    path.write_text(chosen.solved(), encoding="utf-8")
    learner = load(str(path))
    bugs = planted(chosen, learner, problems[0])
    said: dict[tuple[str, str], Outcome] = {}
    for bug in bugs:
        with np.errstate(all="ignore"):
            given = answer(replace(learner, hand=bug.hand), drawn(chosen)[:1])
            right, wrong = judge(chosen, given, problems[:1], path)
        assert wrong is not None, bug
        assert wrong.line == bug.line, bug
        said.setdefault((wrong.line, wrong.symptom), Outcome(name, right, wrong, "torch", shapes(chosen, problems)))
    assert {line for line, _ in said} == chosen.questions.keys()
    assert len(said) > 4 * len(chosen.questions)
    for outcome in said.values():
        monkeypatch.setattr(gradparity.exercise, "judge_file", lambda _, found=outcome: found)
        printed = [run("check", path), *(run("hint", path) for _ in range(3))]
        assert [status for status, *_ in printed] == [1, 0, 0, 0]
        for _, out, err in printed:
            assert_tells_nothing(" ".join(out.split()), outcome.wrong)
            assert err == ""
        Path(path.parent.parent / "cache" / "gradparity" / "exercises.json").unlink(missing_ok=True)


def assert_tells_nothing(printed: str, about: Any) -> None:
    bare = NAMES.sub("", printed)
    assert not [part for part in TELLING if part in bare], (about, printed)
    assert set(re.findall(r"(?<![A-Za-z_])\d[\d.e+-]*", bare)) <= ALLOWED, (about, printed)


@pytest.mark.parametrize("name", exercises())
def test_no_question_tells_the_answer(name: str) -> None:
    for line, question in exercise(name).questions.items():
        assert_tells_nothing(question, line)
        assert "?" in question
