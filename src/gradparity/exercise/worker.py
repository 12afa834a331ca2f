"""The process in which a learner's file is run: what it prints is discarded, and its time is limited.

``python -m gradparity.exercise.worker FILE EXERCISE NEIGHBOURS RESULT WATCH SECONDS`` in a folder that holds a copy of
the learner's file and nothing else. The outcome goes to RESULT; when time is up, the lines being run go to WATCH.
"""

import faulthandler
import io
import json
import os
import re
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path

from gradparity.errors import UsageError
from gradparity.exercise.catalog import exercise
from gradparity.exercise.judge import judge
from gradparity.exercise.problem import problems, witness
from gradparity.exercise.process import Outcome
from gradparity.subjects.model_file import load

NUMBER = re.compile(r"\d\.\d|\de[-+]\d")
"""What an error may quote of an array; a check's arrays hold the right gradients."""


class Discarded(io.TextIOBase):
    """A standard output that remembers only whether anything came."""

    used = False

    def write(self, text: str) -> int:
        """Forget the text."""
        self.used = self.used or bool(text)
        return len(text)


def main(file: str, name: str, neighbours: str, result: str, watch: str, seconds: str) -> None:
    """Judge the file and write what was found."""
    sys.path.append(neighbours)
    printed = Discarded()
    try:
        with redirect_stdout(printed):
            found = _outcome(file, name, Path(watch), float(seconds))
    except UsageError as error:
        content = {"refused": without_numbers(str(error))}
    else:
        wrote = any(entry.name != file for entry in Path.cwd().iterdir())
        content = asdict(replace(found, printed=printed.used, wrote=wrote))
    Path(result).write_text(json.dumps(content), encoding="utf-8")


def _outcome(file: str, name: str, watch: Path, seconds: float) -> Outcome:
    chosen, asked = exercise(name), witness()
    drawn = list(problems(chosen, asked))
    with watch.open("w") as log:
        # It needs no turn of the interpreter, so it also ends a loop inside a library.
        faulthandler.dump_traceback_later(seconds, exit=True, file=log)
        try:
            right, wrong = judge(chosen, load(file), drawn)
        finally:
            faulthandler.cancel_dump_traceback_later()
    return Outcome(right, wrong, asked.name)


def without_numbers(sentence: str) -> str:
    """Cut what an error says after its kind, where it quotes numbers."""
    before, colon, _ = sentence.partition("Error: ")
    return f"{before}Error" if colon and NUMBER.search(sentence) else sentence


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    finally:
        # Nothing that the file has left running, such as a thread, keeps the process.
        os._exit(0)
