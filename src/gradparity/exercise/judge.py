"""What a learner's backward pass wrote against a witness's gradients, line by line, up to the first that is not right.

A line works on what the learner wrote before it. The first wrong line in the order of writing had right numbers to
work on, so the error is in that line, and what comes after it is not looked at.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from gradparity.drawing.words import visible
from gradparity.errors import UsageError
from gradparity.exercise.answer import DECLARED, Answer, Run, named
from gradparity.exercise.catalog import Exercise, exercise, name_in, writing
from gradparity.exercise.problem import drawn, given, problems, witness
from gradparity.exercise.process import TIME_LIMIT, Ran, from_here, run_file
from gradparity.exercise.symptom import symptom
from gradparity.parity.examine import evidence_on, judged_lines
from gradparity.parity.judge import FLOAT64_LIMIT, Judge
from gradparity.parity.norms import relative_error
from gradparity.parity.problem import Problem, Written


@dataclass(frozen=True)
class Wrong:
    """The first line that is not right."""

    line: str
    place: str
    """Where it is written, as ``file.py:12``; where it is not written, where ``backward`` begins."""
    symptom: str
    blank: bool = False
    """Whether it still reads ``...``."""
    raised: bool = False
    """Whether the pass broke off in it; the symptom is then what was raised."""
    number: int | None = None
    """The pass, where a loop writes it."""


@dataclass(frozen=True)
class Outcome:
    """How far a learner's file is right."""

    exercise: str
    right: tuple[str, ...]
    """The lines that are right, in the order of the backward pass, up to the first wrong one."""
    wrong: Wrong | None
    witness: str
    """The backend whose gradients are the right ones."""
    shapes: dict[str, str]
    """Line -> its shape, ``(n, 5)``; of what a loop writes, that of one pass."""
    printed: str = ""
    """What the file printed."""
    wrote: bool = False
    """Whether the file left files in the folder where it ran."""


def judge_file(path: Path, time_limit: float = TIME_LIMIT, seed: int = 0) -> Outcome:
    """Find the first line of a learner's file that is not right.

    ``time_limit`` is in seconds; ``seed`` is of the numbers that the file is tried on. Raises UsageError, in one
    sentence, for a file that cannot be judged.
    """
    return judged(path, run_file(path, drawn(exercise(name_in(path)), seed), time_limit), seed)


def judged(path: Path, ran: Ran, seed: int) -> Outcome:
    """Judge what came of a file, for whose process it is too late to learn the truth. Raises as ``judge_file`` does."""
    name = name_in(path)
    chosen, (asked, posed) = exercise(name), _posed(name, seed)
    right, wrong = judge(chosen, ran.answer, posed, path)
    return Outcome(name, right, wrong, asked, shapes(chosen, posed), ran.printed, ran.wrote)


@cache
def _posed(name: str, seed: int) -> tuple[str, tuple[Problem, ...]]:
    chosen, asked = exercise(name), witness()
    return asked.name, tuple(problems(chosen, asked, drawn(chosen, seed)))


def shapes(chosen: Exercise, posed: Iterable[Problem]) -> dict[str, str]:
    """Return the shape of each line, with n where it counts the examples."""
    first, second = posed

    def size(a: int, b: int) -> str:
        return str(a) if a == b else f"{a // first.n if a != first.n else ''}n"

    def shape(line: str) -> str:
        sizes = [size(*both) for both in zip(*(p.first.gradients[line].shape for p in (first, second)), strict=True)]
        return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"

    return {named(line)[0]: shape(line) for line in first.first.gradients if named(line)[0] in chosen.questions}


def judge(
    chosen: Exercise, answer: Answer, posed: Iterable[Problem], path: Path
) -> tuple[tuple[str, ...], Wrong | None]:
    """Find the first line that is not right, in the order in which they are written; return the right ones, and it.

    Raises UsageError where the given part is changed, and where the backward pass fails, before the first wrong line,
    and not in one.
    """
    begins = {name: f"{path}:{answer.begins.get(name, 1)}" for name in ("forward", "backward")}
    start = given(chosen)
    for name in DECLARED:
        if answer.declared.get(name) != json.loads(json.dumps(getattr(start, name))):
            raise _changed(name, begins["forward"])
    both = list(zip(answer.runs, posed, strict=True))
    if not all(_same_forward(run, problem) for run, problem in both):
        raise _changed("forward", begins["forward"])
    verdicts = [_verdicts(chosen, run, problem, path, begins["backward"]) for run, problem in both]
    order = verdicts[0]
    first = next((line for line in order if any(each[line] for each in verdicts)), None)
    if first is None:
        return tuple(chosen.questions), None
    wrong = next(found for each in verdicts if (found := each[first]))
    begun = {named(line)[0] for line in list(order)[: list(order).index(first)]}
    failing = {named(line)[0] for each in verdicts for line, found in each.items() if found}
    return tuple(line for line in chosen.questions if line in begun - failing), wrong


def _verdicts(chosen: Exercise, run: Run, problem: Problem, path: Path, begin: str) -> dict[str, Wrong | None]:
    """Return what is wrong with each line, in the order in which they are written, and nothing where it is right.

    A line that is never written comes last. Raises UsageError where all is right until the pass fails, in no line.
    """
    judge = Judge("numpy", "witness", "float64", problem.first, problem.budgets)
    written = Written(None, run.gradients, {}, {name: tuple(read) for name, read in run.reads.items()})
    rows = {row.line: row for row in judged_lines(problem, judge, written)}
    found: dict[str, Wrong | None] = {}
    asked = sorted((line for line in rows if named(line)[0] in chosen.questions), key=partial(_place_of, chosen))
    broke_off = _broke_off(chosen, run, asked, path)
    for line in dict.fromkeys([*(line for line in run.order if line in asked), *broke_off, *asked]):
        name, number = named(line)
        place = f"{path}:{run.places[line]}" if line in run.places else begin
        if line in broke_off:
            found[line] = broke_off[line]
        elif line not in run.order and run.failure is not None and not any(found.values()):
            raise UsageError(from_here(run.failure, path))
        elif line in run.blank:
            found[line] = Wrong(name, place, "it is blank", blank=True, number=number)
        elif line in run.order and line not in run.gradients:
            found[line] = Wrong(name, place, "it is not an array of real numbers", number=number)
        elif rows[line].agrees:
            found[line] = None
        else:
            seen = symptom(evidence_on(problem, judge, written, rows[line]))
            found[line] = Wrong(name, place, seen, number=number)
    if run.failure is not None and not any(found.values()):
        raise UsageError(from_here(run.failure, path))
    return found


def _broke_off(chosen: Exercise, run: Run, asked: Sequence[str], path: Path) -> dict[str, Wrong]:
    """Return what is wrong with the line in which the pass failed; nothing where none is written from there on."""
    said = re.match(rf"{re.escape(path.name)}:(\d+): (.*)", run.failure or "")
    if said is None:
        return {}
    text, failed_at = path.read_bytes(), int(said[1])
    after = [
        (statement.lineno, name)
        for name in chosen.questions
        for statement in writing(text, name)
        if (statement.end_lineno or 0) >= failed_at
    ]
    _, failed = min(after, default=(0, ""))
    unwritten = [line for line in asked if named(line)[0] == failed and line not in run.order]
    place = f"{path}:{failed_at}"
    return {line: Wrong(failed, place, visible(said[2]), raised=True, number=named(line)[1]) for line in unwritten[:1]}


def _place_of(chosen: Exercise, line: str) -> tuple[int, int]:
    """Where a line that is never written belongs: a loop goes back from its last pass."""
    name, number = named(line)
    return list(chosen.questions).index(name), -(number or 0)


def _same_forward(run: Run, problem: Problem) -> bool:
    return all(
        name in run.values and relative_error(run.values[name], value) <= FLOAT64_LIMIT
        for name, value in problem.first.values.items()
    )


def _changed(name: str, place: str) -> UsageError:
    return UsageError(
        f"{place}: {name} is given in this exercise and is not what it was: take it from a new file of the same "
        "exercise, started in another folder"
    )
