"""A learner's file, run in a process of its own and from a copy: whatever it does, it learns no right answer here.

What comes back are arrays. Who judges them works out the truth afterwards, when that process and whatever it began are
gone.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import psutil

from gradparity import tensors
from gradparity.drawing.words import visible
from gradparity.errors import UsageError
from gradparity.exercise import answer as answers
from gradparity.output import scratch
from gradparity.protocol import Batch, Params

TIME_LIMIT = 20.0
"""Seconds that a learner's own code may take; it is run on a dozen examples."""
STARTING = 60.0
"""Seconds for Python to start, on a busy machine, before the learner's code begins."""
MEMORY_LIMIT = 4 << 30
"""Bytes of address space."""
FILE_LIMIT = 16 << 20
"""Bytes of a file that is written."""
PRINTED = 2000
"""Letters that are shown of what a file prints."""
BECOME_PARENT_OF_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of Linux's prctl."""
OPEN_TO_OTHERS = 4
"""PR_SET_DUMPABLE: whether another process of the same user may read this one's memory, and write there."""

Draw: TypeAlias = tuple[Params, Batch]


class Ran(NamedTuple):
    """What came of a learner's file."""

    answer: answers.Answer
    printed: str
    """What it printed, such that a terminal only shows it."""
    wrote: bool
    """Whether it left files in the folder where it ran."""


def run_file(path: Path, draws: Sequence[Draw], time_limit: float = TIME_LIMIT) -> Ran:
    """Run a learner's file on each draw.

    ``time_limit`` is in seconds. Raises UsageError, in one sentence, for a file that hands over no answer.
    """
    with scratch() as folder, scratch() as own:
        shutil.copyfile(path, folder / path.name)
        given, answer, watch, printed = (own / name for name in ("draws", "answer", "watch", "printed"))
        _write_draws(given, draws)
        arguments = [path.name, given, answer, path.absolute().parent, watch, time_limit]
        with printed.open("wb") as out, _ended_with_what_it_began():
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gradparity.exercise.worker", *map(str, arguments)],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUNBUFFERED": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(STARTING + time_limit)
            except subprocess.TimeoutExpired:
                status = -1
        refused = answer.with_suffix(".refused")
        if refused.exists():
            raise UsageError(from_here(refused.read_text(encoding="utf-8", errors="replace"), path))
        if not answer.exists():
            raise UsageError(_unfinished(path, watch, time_limit, status))
        wrote = any(entry.name != path.name for entry in folder.iterdir())
        return Ran(answers.read(answer), _shown(printed), wrote)


def _write_draws(path: Path, draws: Sequence[Draw]) -> None:
    named: dict[str, np.ndarray] = {}
    for number, (params, (x, y, extras)) in enumerate(draws):
        parts = {"p": params, "batch": {"x": x, "y": y}, "extras": extras}
        named |= {f"{number} {part} {name}": each for part, arrays in parts.items() for name, each in arrays.items()}
    tensors.write(path, named, {"draws": str(len(draws))})


def read_draws(path: Path) -> list[Draw]:
    """Return the draws that a learner's file is to be run on, as arrays that nobody may change."""
    arrays, metadata = tensors.read(path, "draws", "who judges writes them")

    def part(begin: str) -> Params:
        return {name.removeprefix(begin): array for name, array in arrays.items() if name.startswith(begin)}

    for array in arrays.values():
        array.flags.writeable = False
    batches = [(part(f"{n} batch "), part(f"{n} extras ")) for n in range(int(metadata["draws"]))]
    return [(part(f"{n} p "), Batch(xy["x"], xy["y"], extras)) for n, (xy, extras) in enumerate(batches)]


@contextmanager
def _ended_with_what_it_began() -> Iterator[None]:
    """Kill, at the end, every process below this one that was not there before: forks, and children that stay.

    Meanwhile none of them can reach into this one, which judges.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: None)  # elsewhere than on Linux, orphans are not found
    me = psutil.Process()
    before = set(me.children(recursive=True))
    prctl(BECOME_PARENT_OF_ORPHANS, 1, 0, 0, 0)
    prctl(OPEN_TO_OTHERS, 0, 0, 0, 0)
    try:
        yield
    finally:
        while strays := set(me.children(recursive=True)) - before:
            for stray in strays:
                with suppress(psutil.NoSuchProcess):
                    stray.kill()
            psutil.wait_procs(strays, timeout=1)
        prctl(BECOME_PARENT_OF_ORPHANS, 0, 0, 0, 0)
        prctl(OPEN_TO_OTHERS, 1, 0, 0, 0)


def _shown(printed: Path) -> str:
    with printed.open(encoding="utf-8", errors="replace") as file:
        text = file.read(PRINTED + 1)
    lines = [visible(line) for line in text[:PRINTED].splitlines()]
    return "\n".join([*lines, "…"] if len(text) > PRINTED else lines)


def from_here(text: str, path: Path) -> str:
    """Name the file as the learner does, where the text begins with the name of its copy."""
    return visible(f"{path}{text.removeprefix(path.name)}" if text.startswith(f"{path.name}:") else text)


def _unfinished(path: Path, watch: Path, time_limit: float, status: int) -> str:
    """Say why there is no answer."""
    stack = watch.read_text(encoding="utf-8", errors="replace") if watch.exists() else ""
    if not stack and status != -1:
        return f"{path}: Python ended before the check was done, with status {status}: does the file end it?"
    line = re.search(rf'{re.escape(path.name)}", line (\d+)', stack)
    place = f"{path}:{line[1]}" if line else str(path)
    return f"{place}: it still ran after {time_limit:g} seconds, and was ended: is there a loop that never ends?"
