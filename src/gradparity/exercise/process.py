"""A learner's file, checked in a process of its own and from a copy: whatever it does, the file stays as it is."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gradparity.errors import UsageError
from gradparity.exercise.catalog import name_in
from gradparity.output import scratch

TIME_LIMIT = 20.0
"""Seconds that a learner's own code may take; it is run on a dozen examples."""


@dataclass(frozen=True)
class Wrong:
    """The first line that is not right."""

    line: str
    place: str
    """Where it is written, as ``file.py:12``; where it is not written, where ``backward`` begins."""
    symptom: str
    blank: bool
    """Whether it still reads ``...``."""


@dataclass(frozen=True)
class Outcome:
    """How far a learner's file is right."""

    right: tuple[str, ...]
    """The lines before the first wrong one, in the order of the backward pass."""
    wrong: Wrong | None
    witness: str
    """The backend whose gradients are the right ones."""
    printed: bool = False
    """Whether the file printed anything."""
    wrote: bool = False
    """Whether the file left files in the folder where it ran."""


def judge_file(path: Path, time_limit: float = TIME_LIMIT) -> Outcome:
    """Find the first line of a learner's file that is not right.

    ``time_limit`` is in seconds. Raises UsageError, in one sentence, for a file that cannot be judged.
    """
    name = name_in(path)
    with scratch() as folder, scratch() as own:
        result, watch = own / "result.json", own / "watch.txt"
        shutil.copyfile(path, folder / path.name)
        arguments = [path.name, name, path.absolute().parent, result, watch, time_limit]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "gradparity.exercise.worker", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if not result.exists():
            raise UsageError(_unfinished(path, watch, time_limit, done.returncode))
        found = json.loads(result.read_text(encoding="utf-8"))
    if "refused" in found:
        raise UsageError(_from_here(found["refused"], path))
    wrong = found.pop("wrong")
    if wrong is not None:
        wrong = Wrong(**{**wrong, "place": _from_here(wrong["place"], path)})
    return Outcome(**{**found, "right": tuple(found["right"])}, wrong=wrong)


def _from_here(text: str, path: Path) -> str:
    """Name the file as the learner does, where the text begins with the name of its copy."""
    return f"{path}{text.removeprefix(path.name)}" if text.startswith(f"{path.name}:") else text


def _unfinished(path: Path, watch: Path, time_limit: float, status: int) -> str:
    """Say why there is no result."""
    stack = watch.read_text(encoding="utf-8", errors="replace") if watch.exists() else ""
    if not stack:
        return f"{path}: Python ended before the check was done, with status {status}: does the file end it?"
    line = re.search(rf'{re.escape(path.name)}", line (\d+)', stack)
    place = f"{path}:{line[1]}" if line else str(path)
    return f"{place}: it still ran after {time_limit:g} seconds, and was ended: is there a loop that never ends?"
