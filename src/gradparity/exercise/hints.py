"""How far up the ladder of hints a learner is: kept in the user's cache, so that no file of theirs is changed."""

import json
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError
from gradparity.output import write_text


def climb(path: Path, line: str, top: int) -> int:
    """Return the next rung, from 1 to ``top``, for this line of this file, and remember it.

    Another line than the last time begins again at 1. Raises UsageError where it cannot be remembered.
    """
    known = _read()
    key = str(path.resolve())
    before = next((rung for rung in range(1, top + 1) if known.get(key) == [line, rung]), 0)
    rung = min(before + 1, top)
    _write(known | {key: [line, rung]})
    return rung


def forget(path: Path) -> None:
    """Begin again at the first rung."""
    known = _read()
    if known.pop(str(path.resolve()), None) is not None:
        _write(known)


def _file() -> Path:
    import pooch

    return Path(pooch.os_cache("gradparity")) / "hints.json"


def _read() -> dict[str, Any]:
    """Return path -> [line, rung]; a file that is missing or damaged is as good as empty."""
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(known: dict[str, Any]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"hints are remembered in '{_file()}', which cannot be written: {error.strerror}") from None
    write_text(_file(), json.dumps(known) + "\n")
