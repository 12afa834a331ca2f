"""Files that appear whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError


def require_writable(path: Path | None) -> None:
    """Raise UsageError, before any work is done, where a file cannot be written later."""
    if path is None or _is_device(path):
        return
    folder = path.resolve().parent
    if path.is_dir():
        raise UsageError(f"an output must be a file, got the folder '{path}'")
    if not folder.is_dir():
        raise UsageError(f"the folder of the output '{path}' does not exist: create it first")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"the output '{path}' cannot be written: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text whole, as ``write_bytes`` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write the whole file, then put it in its place. Raises UsageError where that is not possible.

    A link stays, and the file that it points to is replaced; a device such as /dev/null is written to.
    """
    require_writable(path)
    if _is_device(path):
        path.write_bytes(content)
        return
    path = path.resolve()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
