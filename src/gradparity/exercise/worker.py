"""The process in which a learner's file is run: it sees arrays and knows no right answer.

``python -m gradparity.exercise.worker FILE DRAWS ANSWER NEIGHBOURS WATCH SECONDS`` in a folder that holds a copy of the
learner's file and nothing else. What was written goes to ANSWER; when time is up, the lines being run go to WATCH.
"""

import faulthandler
import os
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gradparity.errors import UsageError
from gradparity.exercise import answer as answers
from gradparity.exercise.process import FILE_LIMIT, MEMORY_LIMIT, Draw, read_draws
from gradparity.subjects.model_file import load

BY_MACHINE = ("torch", "jax", "autograd")
"""What would derive the gradient in the learner's place."""


def main(file: str, draws: str, answer: str, neighbours: str, watch: str, seconds: str) -> None:
    """Run the file on each draw and write what it wrote, or why there is nothing."""
    given = read_draws(Path(draws))
    sys.path.append(neighbours)
    sys.meta_path.insert(0, SimpleNamespace(find_spec=_refuse_machines))
    _limit(resource.RLIMIT_AS, MEMORY_LIMIT)
    _limit(resource.RLIMIT_FSIZE, FILE_LIMIT)
    with Path(watch).open("w") as log:
        # It needs no turn of the interpreter, so it also ends a loop inside a library.
        faulthandler.dump_traceback_later(float(seconds), exit=True, file=log)
        try:
            answers.write(Path(answer), _answer(file, given))
        except UsageError as error:
            Path(answer).with_suffix(".refused").write_text(str(error), encoding="utf-8")
        finally:
            faulthandler.cancel_dump_traceback_later()


def _answer(file: str, draws: Sequence[Draw]) -> answers.Answer:
    learner = load(file)
    first = answers.answer(learner, draws[:1])
    # What it prints for the other numbers is the same again.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    others = answers.answer(learner, draws[1:])
    return answers.Answer(first.declared, first.begins, [*first.runs, *others.runs])


def _refuse_machines(name: str, *_: Any) -> None:
    if name.partition(".")[0] in BY_MACHINE:
        raise ImportError(f"{name} derives by machine, and an exercise is done by hand: leave it out")


def _limit(what: int, most: int) -> None:
    with suppress(ValueError, OSError):  # a system that has no such limit, or a lower one
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # Nothing that the file has left running, such as a thread, keeps the process.
        os._exit(0)
