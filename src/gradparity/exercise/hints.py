"""How far up the ladder of hints a learner is: kept in the user's cache, so that no file of theirs is changed."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from gradparity import formats
from gradparity.errors import UsageError
from gradparity.output import write_text


@dataclass(frozen=True)
class Hints:
    """The content of the file."""

    rungs: dict[str, tuple[str, Annotated[int, Meta(ge=1)]]] = field(default_factory=dict)
    """Path -> the line that was last asked about, and its rung."""
    format: Literal["gradparity-hints/1"] = "gradparity-hints/1"


def climb(path: Path, line: str, top: int) -> int:
    """Return the next rung, from 1 to ``top``, for this line of this file, and remember it.

    Another line than the last time begins again at 1. Raises UsageError where it cannot be remembered.
    """
    rungs = _read()
    key = str(path.resolve())
    last, before = rungs.get(key, (line, 0))
    rung = min(before + 1, top) if last == line else 1
    _write(rungs | {key: (line, rung)})
    return rung


def forget(path: Path) -> None:
    """Begin again at the first rung."""
    rungs = _read()
    if rungs.pop(str(path.resolve()), None) is not None:
        _write(rungs)


def _file() -> Path:
    import pooch

    return Path(pooch.os_cache("gradparity")) / "hints.json"


def _read() -> dict[str, tuple[str, int]]:
    if not _file().exists():
        return {}
    return formats.read(_file(), Hints, "the state of exercises", "delete the file, and hints begin anew").rungs


def _write(rungs: dict[str, tuple[str, int]]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"hints are remembered in '{_file()}', which cannot be written: {error.strerror}") from None
    write_text(_file(), json.dumps(asdict(Hints(rungs))) + "\n")
