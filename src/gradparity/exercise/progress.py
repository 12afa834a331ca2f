"""What a learner has done, and how far up the ladder of hints they are: kept in the user's cache, not in files."""

import json
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError
from gradparity.output import write_text


def climb(path: Path, line: str, top: int) -> int:
    """Return the next rung, from 1 to ``top``, for this line of this file, and remember it.

    Another line than the last time begins again at 1. Raises UsageError where it cannot be remembered.
    """
    rung = min(rung_of(path, line) + 1, top)
    _remember("hints", str(path.resolve()), [line, rung])
    return rung


def rung_of(path: Path, line: str) -> int:
    """Return the last rung that was given for this line of this file; 0 before the first."""
    match _read("hints").get(str(path.resolve())):
        case [str(known), int(rung)] if known == line:
            return rung
    return 0


def forget(path: Path) -> None:
    """Begin again at the first rung."""
    key = str(path.resolve())
    if key in _read("hints"):
        _remember("hints", key, None)


def reached(name: str, right: int) -> None:
    """Remember how many lines of an exercise are right; what was once reached stays."""
    if right > reached_in(name):
        _remember("right", name, right)


def reached_in(name: str) -> int:
    """Return how many lines of an exercise have been right."""
    match _read("right").get(name):
        case int(right):
            return right
    return 0


def _file() -> Path:
    import pooch

    return Path(pooch.os_cache("gradparity")) / "exercises.json"


def _read(part: str) -> dict[str, Any]:
    """Return a part of what is remembered; a file that is missing or damaged is as good as empty."""
    found = _whole().get(part)
    return found if isinstance(found, dict) else {}


def _whole() -> dict[str, Any]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(part: str, key: str, value: Any) -> None:
    known = {name: entry for name, entry in _read(part).items() if name != key}
    if value is not None:
        known[key] = value
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"progress is kept in '{_file()}', which cannot be written: {error.strerror}") from None
    write_text(_file(), json.dumps(_whole() | {part: known}) + "\n")
