"""The IDX parser reads what the format defines, names every damage, and never inflates a bomb."""

import gzip
import hashlib
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gradparity.data import idx
from gradparity.errors import UsageError

Encode = Callable[[np.ndarray], bytes]
SHAPE = (5, 3, 4)
IMAGES = np.arange(60, dtype=np.uint8).reshape(SHAPE)


@given(
    array=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)),
    zipped=st.booleans(),
)
def test_what_is_encoded_is_read_back_with_the_hash_of_the_plain_file(array: np.ndarray, zipped: bool) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    plain = header + array.tobytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(gzip.compress(plain, compresslevel=1) if zipped else plain)
        content = idx.read(path, array.shape)
    assert content.array.dtype == np.uint8
    np.testing.assert_array_equal(content.array, array)
    assert content.sha256 == hashlib.sha256(plain).hexdigest()
    assert content.array.flags.c_contiguous
    assert content.array.flags.writeable


def test_a_gzip_of_several_members_is_one_file(tmp_path: Path, encode: Encode) -> None:
    plain = encode(IMAGES)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(plain[:20]) + gzip.compress(plain[20:]))
    np.testing.assert_array_equal(idx.read(path, SHAPE).array, IMAGES)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: b"", "is empty"),
        (lambda plain: plain[:3], "ends inside its header"),
        (lambda plain: plain[:9], "ends inside its header"),
        (lambda plain: plain[:-1], "its header declares 60 values, it holds 59"),
        (lambda plain: plain + b"\0", "holds more than the 60 values its header declares"),
        (lambda _: b"<html>", "no IDX file: its magic number must begin with 00 00, got 3c 68 74 6d"),
        (lambda plain: b"\0\0\x0d" + plain[3:], "must hold unsigned bytes .* got dtype code 0d"),
        (lambda plain: b"\0\0\x08\x01" + plain[4:], "must have 3 dimensions, got 1"),
        (lambda plain: plain[:7] + b"\x06" + plain[8:], "must declare 5 × 3 × 4 values, got 6 × 3 × 4"),
        (lambda plain: plain[:4] + b"\xff" * 12 + plain[16:], "got 4294967295 × 4294967295 × 4294967295"),
    ],
)
def test_each_damage_is_named_in_one_line(
    tmp_path: Path, encode: Encode, zipped: bool, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "broken"
    content = damage(encode(IMAGES))
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(UsageError, match=message) as raised:
        idx.read(path, SHAPE)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize("position", [3, 15, -7, -1])
def test_a_corrupted_gzip_is_refused_wherever_a_byte_is_changed(tmp_path: Path, encode: Encode, position: int) -> None:
    zipped = bytearray(gzip.compress(encode(IMAGES)))
    zipped[position] ^= 0xFF
    path = tmp_path / "broken.gz"
    path.write_bytes(zipped)
    with pytest.raises(UsageError, match=r"corrupted gzip|truncated"):
        idx.read(path, SHAPE)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize("length", [2, 12, 30, -1])
def test_a_gzip_cut_short_is_truncated(tmp_path: Path, encode: Encode, length: int) -> None:
    path = tmp_path / "short.gz"
    path.write_bytes(gzip.compress(encode(IMAGES))[:length])
    with pytest.raises(UsageError, match="is truncated"):
        idx.read(path, SHAPE)


@pytest.mark.fault(kind="data")
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone' cannot be read: No such file"):
        idx.read(tmp_path / "gone", SHAPE)


@pytest.mark.fault(kind="data")
def test_a_bomb_is_never_inflated(tmp_path: Path, encode: Encode) -> None:
    inflated = 1 << 26
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(encode(IMAGES) + bytes(inflated))
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="holds more"):
            idx.read(path, SHAPE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < inflated / 50
