"""A learner's file, checked in a process of its own and from a copy: whatever it does, the file stays as it is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gradparity.errors import UsageError
from gradparity.exercise.catalog import name_in
from gradparity.exercise.outcome import Outcome, Wrong

TIME_LIMIT = 20.0
"""Seconds that a learner's own code may take; it is run on a dozen examples."""


def check(path: Path, time_limit: float = TIME_LIMIT) -> Outcome:
    """Find the first line of a learner's file that is not right.

    ``time_limit`` is in seconds. Raises UsageError, in one sentence, for a file that cannot be judged.
    """
    name = name_in(path)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as own:
        result, watch = Path(own, "result.json"), Path(own, "watch.txt")
        shutil.copyfile(path, Path(folder, path.name))
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
