"""A learner's backward pass against a witness's, line by line, up to the first line that is not right."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

import numpy as np

from gradparity.errors import UsageError
from gradparity.exercise.catalog import Exercise
from gradparity.exercise.problem import given
from gradparity.exercise.process import Wrong
from gradparity.exercise.symptom import symptom
from gradparity.parity.beside import FollowLocals
from gradparity.parity.examine import evidence_on, judged_lines
from gradparity.parity.judge import FLOAT64_LIMIT, Judge
from gradparity.parity.norms import relative_error
from gradparity.parity.problem import Problem, Written
from gradparity.protocol import Array
from gradparity.recording import Recorder
from gradparity.subjects.model_file import UserModel
from gradparity.subjects.model_file.source import calling_line, definition


@dataclass
class _Answer:
    """What a learner's backward pass wrote, up to where it failed, if it did."""

    problem: Problem
    written: dict[str, Array] = field(default_factory=dict)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    failure: UsageError | None = None


def judge(exercise: Exercise, learner: UserModel, problems: Iterable[Problem]) -> tuple[tuple[str, ...], Wrong | None]:
    """Find the first line that is not right, in the order of the backward pass; return the lines before it, and it.

    Raises UsageError where the given part is changed, and where the backward pass fails before the first wrong line.
    """
    _require_declared(exercise, learner)
    answers = [_answer(learner, problem) for problem in problems]
    right: tuple[str, ...] = ()
    for line in exercise.questions:
        wrong = next(filter(None, (_wrong(line, answer, learner) for answer in answers)), None)
        if wrong is not None:
            return right, wrong
        right += (line,)
    for answer in answers:
        if answer.failure is not None:
            raise answer.failure
    return right, None


def _require_declared(exercise: Exercise, learner: UserModel) -> None:
    start = given(exercise)
    for name in ("param_shapes", "input_shape", "num_classes", "target_shape"):
        if getattr(learner, name) != getattr(start, name):
            raise _changed(name, learner)


def _answer(learner: UserModel, problem: Problem) -> _Answer:
    """Run a learner's two passes; each line reads the witness's gradients, so that errors do not cascade."""
    found = _Answer(problem)
    c: dict[str, Any] = {}
    learner.hand.forward(problem.params, problem.batch, c)
    for name, value in problem.first.values.items():
        array = _numbers(c.get(name))
        if array is None or relative_error(array, value) > FLOAT64_LIMIT:
            raise _changed("forward", learner)
    for value in c.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False

    def note(name: str, _: Array) -> None:
        found.places.setdefault(name, calling_line(learner.hand.backward))

    x, y, extras = problem.batch
    used = [*problem.params.values(), *problem.first.gradients.values(), *c.values(), x, y, *extras.values()]
    follow = FollowLocals([ref(array) for array in used if isinstance(array, np.ndarray)])
    d = Recorder("d", problem.first.gradients, seed="loss", inspect=note, follow=follow)
    try:
        learner.hand.backward(problem.params, problem.batch, c, d)
    except UsageError as error:
        found.failure = _in_place(error) or error
    found.written, found.reads = d.written(), d.reads
    return found


def _wrong(line: str, answer: _Answer, learner: UserModel) -> Wrong | None:
    """Say what is wrong with a line, or nothing where it is right."""
    place = answer.places.get(line, definition(learner.hand.backward))
    if line not in answer.written and answer.failure is not None:
        raise answer.failure
    value = answer.written.get(line)
    if value is ...:
        return Wrong(line, place, "it is blank", blank=True)
    array, problem = _numbers(value), answer.problem
    if array is None and line in answer.written:
        return Wrong(line, place, "it is not an array of real numbers", blank=False)
    written = Written(None, {} if array is None else {line: array}, {}, answer.reads)
    judge = Judge("numpy", "witness", "float64", problem.first, problem.budgets)
    row = next(row for row in judged_lines(problem, judge, written) if row.line == line)
    if row.agrees:
        return None
    return Wrong(line, place, symptom(evidence_on(problem, judge, written, row)), blank=False)


def _numbers(value: object) -> np.ndarray | None:
    """Return real numbers as an array of float64; None for anything else."""
    if not isinstance(value, np.ndarray | np.generic | float | int):
        return None
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind in "fiub" else None


def _in_place(error: UsageError) -> UsageError | None:
    """Say what is meant by NumPy's refusal to change an array that is read-only."""
    place, known, _ = str(error).partition(": backward raised ValueError: ")
    if not known or "read-only" not in str(error):
        return None
    return UsageError(f"{place}: what is in p, batch, c and d must not change: write x = x - m in place of x -= m")


def _changed(name: str, learner: UserModel) -> UsageError:
    return UsageError(
        f"{definition(learner.hand.forward)}: {name} is given in this exercise and is not what it was: take it from a "
        "new file of the same exercise, started in another folder"
    )
