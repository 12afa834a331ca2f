"""A class's files, each judged as ``check`` does, as one table."""

import csv
import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from gradparity.drawing.words import visible
from gradparity.errors import UsageError
from gradparity.exercise.catalog import exercise, name_in
from gradparity.exercise.judge import judged
from gradparity.exercise.problem import drawn
from gradparity.exercise.process import TIME_LIMIT, Ran, run_file

COLUMNS = ("student", "exercise", "right", "lines", "remark", "file")


@dataclass(frozen=True)
class Grade:
    """How far one student's file is right."""

    student: str
    exercise: str
    """Its name; empty where the file does not say, or cannot be read."""
    right: int
    """Lines that are right, up to the first wrong one."""
    lines: int
    remark: str
    """The first wrong line and its symptom, or why the file cannot be judged; empty where all is right."""
    file: str


def grade(folder: Path, time_limit: float = TIME_LIMIT, seed: int | None = None) -> list[Grade]:
    """Judge every exercise below a folder; a folder directly below it is a student.

    A file directly in ``folder`` is a student's who is called like ``folder``. A Python file that names no exercise is
    passed over where its student has one that does. ``time_limit`` is in seconds for each file; all are tried on the
    same numbers, new ones each time unless there is a ``seed``. Raises UsageError where there is nothing to judge.
    """
    files = sorted(path for path in folder.rglob("*.py") if path.is_file() and not _hidden(path.relative_to(folder)))
    if not files:
        what = "there is no Python file below" if folder.is_dir() else "there is no folder"
        raise UsageError(f"{what} '{folder}': name a folder with a folder of answers for each student")
    seed = secrets.randbits(32) if seed is None else seed
    ran = {path: _ran(path, time_limit, seed) for path in files}  # all, before the truth is worked out
    found: list[Grade] = []
    for student, own in groupby(files, lambda path: _student(path.relative_to(folder), folder)):
        grades = [_grade(path, student, ran[path], seed) for path in own]
        found += [each for each in grades if each.exercise] or grades
    return found


def _ran(path: Path, time_limit: float, seed: int) -> Ran | str:
    """Return what came of a file, or why nothing did."""
    try:
        return run_file(path, drawn(exercise(name_in(path)), seed), time_limit)
    except UsageError as error:
        return str(error)


def _student(path: Path, folder: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else folder.resolve().name


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _grade(path: Path, student: str, ran: Ran | str, seed: int) -> Grade:
    name, lines = "", 0
    try:
        name = name_in(path)
        lines = len(exercise(name).questions)
        if isinstance(ran, str):
            return Grade(visible(student), name, 0, lines, ran, str(path))
        found = judged(path, ran, seed)
    except UsageError as error:
        return Grade(visible(student), name, 0, lines, str(error), str(path))
    wrong = found.wrong
    remark = f"{wrong.place}: d['{wrong.line}'] {found.shapes[wrong.line]}: {wrong.symptom}" if wrong else ""
    return Grade(visible(student), name, len(found.right), lines, remark, str(path))


def as_csv(grades: Sequence[Grade]) -> str:
    """Return the grades as CSV, a row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_no_formula(getattr(each, name)) for name in COLUMNS] for each in grades)
    return text.getvalue()


def _no_formula(cell: object) -> object:
    """Keep a spreadsheet from running what a student has called a file."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell


def as_json(grades: Sequence[Grade]) -> dict[str, Any]:
    """Return the grades in the form that Gradescope reads: a test for each, scored by its right lines."""
    return {
        "tests": [
            {
                "name": f"{each.student}: {each.exercise or each.file}",
                "score": each.right,
                "max_score": each.lines,
                "status": "failed" if each.remark else "passed",
                "output": each.remark or "all lines are right",
                "extra_data": {name: getattr(each, name) for name in COLUMNS},
            }
            for each in grades
        ]
    }
