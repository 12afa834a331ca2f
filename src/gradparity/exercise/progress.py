"""What a learner has done, and how far up the ladder of hints they are: kept in the user's cache, not in files."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from gradparity import formats
from gradparity.errors import UsageError
from gradparity.output import write_text

Count = Annotated[int, Meta(ge=1)]


@dataclass(frozen=True)
class Progress:
    """The content of the file."""

    rungs: dict[str, tuple[str, Count]] = field(default_factory=dict)
    """Path -> the line that was last asked about, and its rung."""
    right: dict[str, Count] = field(default_factory=dict)
    """Exercise -> how many of its lines have been right."""
    format: Literal["gradparity-progress/1"] = "gradparity-progress/1"


class BeforeFormats(TypedDict, total=False):
    """What the file held before it named its format: the same under other names, a part only once it was needed."""

    hints: dict[str, tuple[str, Count]]
    right: dict[str, Count]


def climb(path: Path, line: str, top: int) -> int:
    """Return the next rung, from 1 to ``top``, for this line of this file, and remember it.

    Another line than the last time begins again at 1. Raises UsageError where it cannot be remembered.
    """
    rung = min(rung_of(path, line) + 1, top)
    known = _read()
    _write(replace(known, rungs=known.rungs | {str(path.resolve()): (line, rung)}))
    return rung


def rung_of(path: Path, line: str) -> int:
    """Return the last rung that was given for this line of this file; 0 before the first."""
    last, rung = _read().rungs.get(str(path.resolve()), (line, 0))
    return rung if last == line else 0


def forget(path: Path) -> None:
    """Begin again at the first rung."""
    known, key = _read(), str(path.resolve())
    if known.rungs.pop(key, None) is not None:
        _write(known)


def reached(name: str, right: int) -> None:
    """Remember how many lines of an exercise are right; what was once reached stays."""
    known = _read()
    if right > known.right.get(name, 0):
        _write(replace(known, right=known.right | {name: right}))


def reached_in(name: str) -> int:
    """Return how many lines of an exercise have been right."""
    return _read().right.get(name, 0)


def _file() -> Path:
    import pooch

    return Path(pooch.os_cache("gradparity")) / "exercises.json"


def _read() -> Progress:
    if not _file().exists():
        return Progress()
    what, fix = "the state of exercises", "delete the file, and exercises begin anew"
    try:
        before = formats.read(_file(), BeforeFormats, what, fix)
    except UsageError:
        return formats.read(_file(), Progress, what, fix)
    return Progress(before.get("hints", {}), before.get("right", {}))


def _write(known: Progress) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"progress is kept in '{_file()}', which cannot be written: {error.strerror}") from None
    write_text(_file(), json.dumps(asdict(known)) + "\n")
