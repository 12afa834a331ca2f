"""The IDX file format, of unsigned bytes, plain or gzipped: the format in which MNIST is published.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats". A file is
two zero bytes, a byte for the dtype, a byte for the number of dimensions, each dimension as a big-endian 32-bit
integer, and then the values in C order.
"""

import gzip
import hashlib
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from gradparity.errors import UsageError

UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 20
"""Bytes decompressed at a time."""


class Content(NamedTuple):
    """What an IDX file holds."""

    array: UInt8[np.ndarray, "..."]
    sha256: str
    """Hexadecimal SHA-256 of the decompressed file, header included."""


def read(path: Path, shape: tuple[int, ...]) -> Content:
    """Read and hash the file in one pass, never decompressing more than an array of ``shape`` takes.

    Raises UsageError for a file that cannot be read, is empty, truncated or corrupted, is not IDX of unsigned bytes,
    declares another shape, or holds more than it declares.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            if not zipped:
                return _read(file, path, shape)
            with gzip.open(file) as stream:
                return _read(stream, path, shape)
    except EOFError:
        raise UsageError(f"'{path}' is truncated: its gzip stream ends too early; get a new copy") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"'{path}' is a corrupted gzip file ({error}): get a new copy") from None
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None


def _read(stream: BufferedIOBase, path: Path, shape: tuple[int, ...]) -> Content:
    header = _read_header(stream, path, shape)
    array = np.empty(shape, np.uint8)
    values = array.reshape(-1).data
    filled = 0
    while filled < len(values) and (chunk := stream.read(min(CHUNK, len(values) - filled))):
        values[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    if filled < len(values):
        raise UsageError(
            f"'{path}' is truncated: its header declares {len(values):,} values, it holds {filled:,}; get a new copy"
        )
    # Reading to the end is also what makes gzip compare its own checksum.
    if stream.read(1):
        raise UsageError(f"'{path}' holds more than the {len(values):,} values its header declares: get a new copy")
    digest = hashlib.sha256(header)
    digest.update(values)
    return Content(array, digest.hexdigest())


def _read_header(stream: BufferedIOBase, path: Path, shape: tuple[int, ...]) -> bytes:
    header = stream.read(4 + 4 * len(shape))
    if not header:
        raise UsageError(f"'{path}' is empty: get a new copy")
    if any(header[:2]):
        raise UsageError(f"'{path}' is no IDX file: its magic number must begin with 00 00, got {header[:4].hex(' ')}")
    if len(header) < 4:
        raise UsageError(f"'{path}' is truncated: it ends inside its header; get a new copy")
    if header[2] != UNSIGNED_BYTE:
        raise UsageError(f"'{path}' must hold unsigned bytes (IDX dtype code 08), got dtype code {header[2]:02x}")
    if header[3] != len(shape):
        raise UsageError(f"'{path}' must have {len(shape)} dimensions, got {header[3]}: is it another of the files?")
    if len(header) < 4 + 4 * len(shape):
        raise UsageError(f"'{path}' is truncated: it ends inside its header; get a new copy")
    declared = struct.unpack_from(f">{len(shape)}I", header, 4)
    if declared != shape:
        raise UsageError(f"'{path}' must declare {_times(shape)} values, got {_times(declared)}: is it another file?")
    return header


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
