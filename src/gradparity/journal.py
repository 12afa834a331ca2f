"""A sweep's journal: a line that says which sweep it is, then a line with a checksum for each draw that is done.

One process at a time writes to it, and a line that was added is on disk, whatever ends the process.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from modulefinder import ModuleFinder
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from gradparity.errors import UsageError
from gradparity.output import STANDARD_OUTPUT, sync_folder

FORMAT = "gradparity-journal/2"
Add = Callable[[dict[str, Any]], None]
"""Adds a line, which is on disk on return."""


@contextmanager
def opened(journal: Path | None, about: dict[str, Any]) -> Iterator[tuple[list[dict[str, Any]], Add]]:
    """Give the lines of a sweep's journal, which is begun if need be, and what adds one; None keeps nothing.

    One that holds no line at the end is not left behind. Raises UsageError for a file that is no journal or is
    damaged, for the journal of another sweep, and for one that another process is writing to.
    """
    if journal is None:
        yield [], lambda _: None
        return
    with _locked(journal) as file:
        lines = _read(journal, file, {"format": FORMAT, **about})

        def add(line: dict[str, Any]) -> None:
            _append(file, line)
            lines.append(line)

        try:
            yield list(lines), add
        finally:
            if not lines:
                journal.unlink(missing_ok=True)


def discard(journal: Path, done: int) -> None:
    """Delete the journal of a sweep that is finished, unless it holds more lines than were asked for, or is in use."""
    with suppress(UsageError), _locked(journal) as file:
        if len(file.readlines()) <= 1 + done:
            journal.unlink()


def content_hash(file: Path) -> str:
    """Return the SHA-256 of a Python file and of all beside it that it imports, which is read and not run."""
    finder = ModuleFinder([str(file.resolve().parent)])
    finder.run_script(str(file))
    read = {str(file), *filter(None, (getattr(module, "__file__", None) for module in finder.modules.values()))}
    hashes = sorted(hashlib.sha256(Path(each).read_bytes()).hexdigest() for each in read)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


@contextmanager
def _locked(journal: Path) -> Iterator[IO[bytes]]:
    if journal == STANDARD_OUTPUT or (journal.exists() and not journal.is_file()):
        raise UsageError(f"a journal must be a file, got '{journal}'")
    with journal.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(file.fileno()), journal.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:  # or the other has just deleted it
            raise UsageError(
                f"another sweep is writing to '{journal}': wait until it ends, or name another file with --resume"
            )
        file.seek(0)
        yield file


def _read(journal: Path, file: IO[bytes], header: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the lines; of an interrupt in the middle of a line nothing is left in the file."""
    first, *lines = file.readlines() or [b""]
    whole = [line for line in lines if line.endswith(b"\n")]
    if first:
        _require_same(journal, first, header, whole)
    if whole:
        file.truncate(len(first) + sum(map(len, whole)))
    else:
        file.truncate(0)
        try:
            _append(file, header)
        except OSError:  # half a header would block the next sweep
            journal.unlink()
            raise
        sync_folder(journal.resolve().parent)
    return [_checked(journal, number, line) for number, line in enumerate(whole, start=2)]


def _require_same(journal: Path, first: bytes, header: dict[str, Any], lines: list[bytes]) -> None:
    try:
        before = json.loads(first)["line"]
        known = before["format"] == FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        known = False
    if not known:
        raise UsageError(f"'{journal}' is no journal of a sweep: name a file that is not there yet")
    other = ", ".join(key for key in {**header, **before} if before.get(key) != header.get(key))
    if other and lines:
        raise UsageError(
            f"'{journal}' is the journal of another sweep, with other {other}: name another file, or delete it"
        )


def _checked(journal: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(line)["line"]
        if line == _written(content):
            return content
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UsageError(
        f"{journal}:{number}: the line is damaged, it does not have the checksum it was written with: delete the line, "
        "and what it held is done again"
    )


def _written(line: dict[str, Any]) -> bytes:
    return (json.dumps({"line": line, "crc32": crc32(json.dumps(line).encode())}) + "\n").encode()


def _append(file: IO[bytes], line: dict[str, Any]) -> None:
    file.write(_written(line))
    file.flush()
    os.fsync(file.fileno())
