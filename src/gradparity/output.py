"""Files that appear whole or not at all."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError

STANDARD_OUTPUT = Path("-")
SCRATCH = "gradparity-scratch-"
UNLOCKED_SECONDS = 60
"""So long a new folder may have no lock yet."""


def require_writable(*outputs: Path | None, inputs: Iterable[Path | str | None] = ()) -> None:
    """Raise UsageError, before any work is done, where an output cannot be written later or would replace an input.

    Two outputs must be two files. Links and other spellings are seen through; an input that names no file is none.
    """
    read = {_identity(path): path for path in (Path(each) for each in inputs if each) if path.is_file()}
    written: dict[Identity, Path] = {}
    for path in filter(None, outputs):
        own = _placed(path)
        if own in read:
            raise UsageError(f"the output '{path}' is the input '{read[own]}' and would replace it: name another file")
        if own in written:
            raise UsageError(f"two outputs are one file, got '{written[own]}' and '{path}': name two")
        if path.is_symlink() and not path.exists():
            raise UsageError(f"the output '{path}' is a link to nothing, '{path.readlink()}': name the file itself")
        if not _is_device(path):
            written[own] = path


Identity = tuple[int, int] | Path
"""A file's device and number, which its links share, or where it will be."""


def _identity(path: Path) -> Identity:
    if not path.exists():
        return path.resolve()
    status = path.stat()
    return status.st_dev, status.st_ino


def _placed(path: Path) -> Identity:
    """Return which file an output is. Raises UsageError where it cannot be written."""
    if path == STANDARD_OUTPUT:
        return path
    try:
        folder = path.resolve().parent
        if path.is_dir():
            raise UsageError(f"an output must be a file, got the folder '{path}'")
        if not folder.is_dir():
            raise UsageError(f"the folder of the output '{path}' does not exist: create it first")
        if not _is_device(path):
            with tempfile.TemporaryFile(dir=folder):
                pass
        return _identity(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: before Python 3.13, a link to itself
        raise UsageError(f"the output '{path}' cannot be written: {getattr(error, 'strerror', error)}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text whole, as ``write_bytes`` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write the whole file, then put it in its place. Raises UsageError where that is not possible.

    A link stays, and the file that it points to is replaced; a device such as /dev/null is written to, and ``-`` is
    standard output. Raises OSError where the disk is full.
    """
    if path == STANDARD_OUTPUT:
        # At its descriptor, for what a command says is not shown beside it.
        with open(1, "wb", closefd=False) as stream:
            stream.write(content)
        return
    require_writable(path)
    if _is_device(path):
        path.write_bytes(content)
        return
    path = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".gradparity-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have a file's name on disk too, not only what it holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def scratch(beside: Path | None = None) -> Iterator[Path]:
    """Give a folder that is gone at the end, in the system's own place for those or in another folder.

    Those that a killed process left there are deleted: it held a lock on its folder, which ended with it.
    """
    place = Path(tempfile.gettempdir()) if beside is None else beside
    for left in place.glob(f"{SCRATCH}*"):
        with suppress(OSError):  # another's, or in use
            if time.time() - left.stat().st_mtime > UNLOCKED_SECONDS:
                with _held(left):
                    shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=place) as name, _held(Path(name)):
        yield Path(name)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock a folder. Raises OSError where another process has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain data as JSON; a number that JSON does not have is an error."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def plain(data: Any) -> Any:
    """Return data as JSON has it: lists for tuples, and None for a number that is not finite."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item) for item in data]
    return None if isinstance(data, float) and not isfinite(data) else data


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
