"""A sweep's journal: a line of JSON that says which sweep it is, then a line for each draw that is done."""

import hashlib
import json
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError
from gradparity.output import write_text


def read(journal: Path, about: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of a sweep's journal; one that is not there yet is begun.

    Raises UsageError for a file that is no journal, and for the journal of another sweep.
    """
    if not journal.exists():
        write_text(journal, json.dumps(about) + "\n")
    try:
        first, *lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        before, *done = map(json.loads, [first, *whole])
    except ValueError:
        raise UsageError(f"'{journal}' is no journal of a sweep: name a file that is not there yet") from None
    if before != about:
        held = before if isinstance(before, dict) else {}
        other = ", ".join(key for key in {**about, **held} if held.get(key) != about.get(key))
        raise UsageError(
            f"'{journal}' is the journal of another sweep, with other {other}: name another file, or delete it"
        )
    if len(whole) < len(lines):  # an interrupt in the middle of a line
        write_text(journal, "".join([first, *whole]))
    return done


def content_hash(file: Path) -> str:
    """Return the SHA-256 of a Python file and of all beside it that it imports, which is read and not run."""
    finder = ModuleFinder([str(file.resolve().parent)])
    finder.run_script(str(file))
    read = {str(file), *filter(None, (getattr(module, "__file__", None) for module in finder.modules.values()))}
    hashes = sorted(hashlib.sha256(Path(each).read_bytes()).hexdigest() for each in read)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def append(journal: Path, line: dict[str, Any]) -> None:
    """Add a line; it is on disk on return, whatever interrupts the next draw."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
