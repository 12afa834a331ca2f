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
from typing import IO, Any, Final, TypeVar
from zlib import crc32

import msgspec

from gradparity.errors import UsageError
from gradparity.formats import decoded
from gradparity.output import STANDARD_OUTPUT, sync_folder

FORMAT: Final = "gradparity-journal/2"
Line = TypeVar("Line")


class _Checked(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file."""

    line: msgspec.Raw
    crc32: int


@contextmanager
def opened(
    journal: Path | None, header: Any, form: type[Line], key: Callable[[Line], Any]
) -> Iterator[tuple[list[Line], Callable[[Line], None]]]:
    """Give the lines of a sweep's journal, which is begun if need be, and what adds one; None keeps nothing.

    ``header`` is a dataclass of what must be the same for a line to count, and ``FORMAT`` is its field ``format``.
    What is added is on disk on return. ``key`` tells what a line is about; two about the same are refused. A journal
    that holds no line at the end is not left behind. Raises UsageError for a file that is no journal or is damaged,
    for the journal of another sweep, and for one that another process is writing to.
    """
    if journal is None:
        yield [], lambda _: None
        return
    with _locked(journal) as file:
        lines = _begun(journal, file, header, form, key)

        def add(line: Line) -> None:
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


def _begun(journal: Path, file: IO[bytes], header: Any, form: type[Line], key: Callable[[Line], Any]) -> list[Line]:
    """Return the lines; of an interrupt in the middle of a line nothing is left in the file."""
    content = file.read()
    lines = lines_of(journal, content, header, form, key)
    if lines:
        file.truncate(content.rindex(b"\n") + 1)
    else:
        file.truncate(0)
        try:
            _append(file, header)
        except OSError:  # half a header would block the next sweep
            journal.unlink()
            raise
        sync_folder(journal.resolve().parent)
    return lines


def lines_of(journal: Path, content: bytes, header: Any, form: type[Line], key: Callable[[Line], Any]) -> list[Line]:
    """Return what a journal holds, without the rest of an interrupted line. Raises UsageError as ``opened`` does."""
    first, *rest = content.splitlines(keepends=True) or [b""]
    whole = [line for line in rest if line.endswith(b"\n")]
    if first:
        _require_same(journal, first, header, begun=bool(whole))
    lines: list[Line] = []
    seen: dict[Any, int] = {}
    for number, line in enumerate(whole, start=2):
        found = decoded(_unpacked(journal, number, line), form, str(journal), DAMAGED, AGAIN, number)
        before = seen.setdefault(key(found), number)
        if before != number:
            raise UsageError(f"{journal}:{number}: the line is about the same as line {before}: {AGAIN}")
        lines.append(found)
    return lines


DAMAGED = "the line is damaged"
AGAIN = "delete the line, and what it held is done again"


def _require_same(journal: Path, first: bytes, header: Any, begun: bool) -> None:
    try:
        before = msgspec.json.decode(msgspec.json.decode(first, type=_Checked).line)
        known = isinstance(before, dict) and before.get("format") == FORMAT
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        known = False
    if not known:
        raise UsageError(f"'{journal}' is no journal of a sweep: name a file that is not there yet")
    own = msgspec.json.decode(msgspec.json.encode(header))
    other = ", ".join(name for name in {**own, **before} if before.get(name) != own.get(name))
    if other and begun:
        raise UsageError(
            f"'{journal}' is the journal of another sweep, with other {other}: name another file, or delete it"
        )


def _unpacked(journal: Path, number: int, line: bytes) -> bytes:
    try:
        checked = msgspec.json.decode(line, type=_Checked)
        content = bytes(checked.line)
        intact = crc32(content) == checked.crc32
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        intact = False
    if not intact:
        raise UsageError(f"{journal}:{number}: {DAMAGED}, it does not have the checksum it was written with: {AGAIN}")
    return content


def packed(line: Any) -> bytes:
    """Return a line as it stands in the file. Raises ValueError for a number that JSON does not have."""
    content = json.dumps(msgspec.to_builtins(line), allow_nan=False).encode()
    return msgspec.json.encode(_Checked(msgspec.Raw(content), crc32(content))) + b"\n"


def _append(file: IO[bytes], line: Any) -> None:
    file.write(packed(line))
    file.flush()
    os.fsync(file.fileno())
