"""No output tells the answer: every known bug planted in every line, and all that check and hint then print."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradparity.exercise
from gradparity.exercise import Outcome, exercise
from gradparity.exercise.judge import judge
from gradparity.exercise.problem import DRAWS, given
from gradparity.parity.problem import Problem
from gradparity.subjects.model_file import load
from gradparity_mutants.mutants import Mutant, mutants

TELLING = ("@", "*", " / ", "sum(", "exp", ".T", "one_hot", "one-hot", "eye", "softmax(", "mean(", "axis=", "should be")
"""What every way to write the right line has some of."""
ALLOWED = {str(n) for n in (*DRAWS, *range(1, 4))}
"""Examples, and the rungs of the ladder."""


def planted(posed: Callable[[str], list[Problem]], path: Path) -> list[Mutant]:
    hand = load(str(path)).hand
    first = posed("softmax-regression")[0]
    other = given(exercise("softmax-regression")).example_batch(np.random.default_rng(5), len(first.batch.x))
    return [m for m in mutants(hand, first.params, first.batch, other) if m.symbol == "d" and not m.equivalent]


def test_nothing_that_is_printed_tells_the_answer(
    posed: Callable[[str], list[Problem]],
    solved: Callable[..., Path],
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = solved()
    learner, problems = load(str(path)), posed("softmax-regression")[:1]
    bugs = [mutant for mutant in planted(posed, path) if mutant.line != "loss"]
    assert len(bugs) > 40
    for bug in bugs:
        with np.errstate(all="ignore"):
            right, wrong = judge(exercise("softmax-regression"), replace(learner, hand=bug.hand), problems)
        assert wrong is not None
        assert wrong.line == bug.line, bug
        outcome = Outcome(right, replace(wrong, place=f"{path}:33"), "torch")
        monkeypatch.setattr(gradparity.exercise, "judge_file", lambda _, found=outcome: found)
        printed = [run("check", path), *(run("hint", path) for _ in range(3))]
        assert [status for status, *_ in printed] == [1, 0, 0, 0]
        for _, out, err in printed:
            assert_tells_nothing(" ".join(out.split()), bug)
            assert err == ""
        Path(path.parent.parent / "cache" / "gradparity" / "hints.json").unlink(missing_ok=True)


def assert_tells_nothing(printed: str, about: Any) -> None:
    assert not [part for part in TELLING if part in printed], (about, printed)
    without_places = re.sub(r"\S+\.py(:\d+)?|\(\d+(, \d+)*,?\)|\(\)", "", printed)  # and without shapes
    numbers = set(re.findall(r"\d[\d.e+-]*", without_places))
    assert numbers <= ALLOWED, (about, printed)


@pytest.mark.parametrize("name", ["softmax-regression", "bug-hunt-1"])
def test_no_question_tells_the_answer(name: str) -> None:
    for line, question in exercise(name).questions.items():
        assert_tells_nothing(question, line)
        assert "?" in question
