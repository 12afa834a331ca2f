"""What a learner's two passes wrote: arrays, and where each was written. No more leaves the process that ran them.

What a loop writes, ``d["h", t]``, is a line of its own in every pass, and is called "h, 2" here.

It goes into a safetensors file, which holds no code; of what stands there nothing is believed but the numbers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gradparity import tensors
from gradparity.errors import UsageError
from gradparity.protocol import Array, Batch, Key, Params
from gradparity.recording import Recorder, name_of
from gradparity.subjects.model_file import UserModel
from gradparity.subjects.model_file.source import calling_line, definition

DECLARED = ("param_shapes", "input_shape", "num_classes", "target_shape")
MEANT = re.compile(r", is [^?]* meant\?$")
"""What a model file is told where shapes do not fit; here it would be the answer."""


@dataclass(frozen=True)
class Run:
    """What was written on one draw, up to where it failed, if it did."""

    values: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]
    """Those that are arrays of real numbers."""
    order: Sequence[str]
    """All lines written to ``d``, in the order in which they were finished: a sum, with its last share. Sums are left
    out where the pass failed, for more shares may have been meant to come."""
    blank: Sequence[str]
    """Those that still read ``...``."""
    reads: Mapping[str, Sequence[str]]
    places: Mapping[str, int]
    """Line -> its number in the file."""
    failure: str | None


@dataclass(frozen=True)
class Answer:
    """What a learner's file declares, and what it wrote on each draw."""

    declared: Mapping[str, Any]
    begins: Mapping[str, int]
    """``forward`` and ``backward`` -> the line of the file where each begins."""
    runs: Sequence[Run]


def answer(learner: UserModel, draws: Sequence[tuple[Params, Batch]]) -> Answer:
    """Run a learner's two passes on each draw. Raises UsageError where the forward pass fails."""
    begins = {name: _number(definition(getattr(learner.hand, name))) for name in ("forward", "backward")}
    declared = json.loads(json.dumps({name: getattr(learner, name) for name in DECLARED}))
    return Answer(declared, begins, [_run(learner, *draw) for draw in draws])


def _run(learner: UserModel, params: Params, batch: Batch) -> Run:
    def note(key: Key, value: Array) -> None:
        if value is not ...:
            finished.pop(key, None)
        finished.setdefault(key)
        places.setdefault(line_of(key), _number(calling_line(learner.hand.backward)))
        keep(key, value)

    def keep(_: Key, value: Array) -> None:
        if isinstance(value, np.ndarray):
            value.flags.writeable = False

    finished: dict[Key, None] = {}
    places: dict[str, int] = {}
    c = Recorder("c", {}, inspect=keep)
    d = Recorder("d", {"loss": np.float64(1)}, seed="loss", inspect=note)
    learner.hand.forward(params, batch, c)
    failure = None
    try:
        learner.hand.backward(params, batch, c, d)
    except UsageError as error:
        failure = _in_place(MEANT.sub("", str(error)))
    order = [key for key in finished if key in d.data and not _unfinished(key, d, failure)]
    blank = [line_of(key) for key in order if d.data[key] is ...]
    reads = {
        line_of(key): [line_of(each) for each in d.data if name_of(each) in d.reads[name_of(key)]] for key in order
    }
    return Run(_numbers(c), _numbers(d), list(map(line_of, order)), blank, reads, places, failure)


def _unfinished(key: Key, d: Recorder, failure: str | None) -> bool:
    """Whether more would have come: a share of a sum, or a second value that was refused."""
    if failure is None or d.data[key] is ...:
        return False
    return key in d.shares or f"d{[key] if isinstance(key, str) else [*key]} is written twice" in failure


def line_of(key: Key) -> str:
    """Return what a line is called: "h, 2" in pass 2 of a loop."""
    return key if isinstance(key, str) else f"{key[0]}, {key[1]}"


def named(line: str) -> tuple[str, int | None]:
    """Return the name of a line, and the pass of the loop that wrote it, if one did."""
    name, _, number = line.partition(", ")
    return name, int(number) if number else None


def _number(place: str) -> int:
    line = place.rpartition(":")[2]
    return int(line) if line.isdecimal() else 1


def _in_place(failure: str) -> str:
    """Say what is meant by NumPy's refusal to change an array that is read-only."""
    place, known, _ = failure.partition(": backward raised ValueError: ")
    if not known or "read-only" not in failure:
        return failure
    return f"{place}: what is in p, batch, c and d must not change: write x = x - m in place of x -= m"


def _numbers(written: Recorder) -> dict[str, np.ndarray]:
    """Return what is an array of real numbers, in float64."""
    return {line_of(key): np.asarray(value, np.float64) for key, value in written.data.items() if _is_real(value)}


def _is_real(value: object) -> bool:
    return isinstance(value, np.ndarray | np.generic | float | int) and np.asarray(value).dtype.kind in "fiub"


def write(path: Path, found: Answer) -> None:
    """Write an answer to a file."""
    arrays = {
        f"{number} {part} {name}": array
        for number, each in enumerate(found.runs)
        for part in ("values", "gradients")
        for name, array in getattr(each, part).items()
    }
    said = {**asdict(found), "runs": [asdict(each) | {"values": None, "gradients": None} for each in found.runs]}
    tensors.write(path, arrays, {"answer": json.dumps(said)})


def read(path: Path) -> Answer:
    """Read an answer. Raises UsageError where the file is not what ``write`` writes."""
    arrays, metadata = tensors.read(path, "answer", "the learner's process writes it")
    try:
        said = json.loads(metadata["answer"])
        runs = [_run_of(each, arrays, number) for number, each in enumerate(said["runs"])]
        return Answer(dict(said["declared"]), {name: int(line) for name, line in said["begins"].items()}, runs)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UsageError(f"'{path}' holds no answer: does the file write it?") from None


def _run_of(said: Mapping[str, Any], arrays: Mapping[str, np.ndarray], number: int) -> Run:
    def part(name: str) -> dict[str, np.ndarray]:
        begin = f"{number} {name} "
        return {
            key.removeprefix(begin): np.asarray(value, np.float64)
            for key, value in arrays.items()
            if key.startswith(begin)
        }

    return Run(
        part("values"),
        part("gradients"),
        [str(name) for name in said["order"]],
        [str(name) for name in said["blank"]],
        {str(name): tuple(map(str, read)) for name, read in said["reads"].items()},
        {str(name): int(line) for name, line in said["places"].items()},
        None if said["failure"] is None else str(said["failure"]),
    )
