"""A user's .npz: what is kept, what is converted, and what is refused with the fix."""

import io
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.data import npz, with_inputs_for
from gradparity.errors import UsageError
from gradparity.models import SoftmaxRegression
from gradparity.subjects.model_file import adopt

X = np.arange(20, dtype=np.float64).reshape(10, 2)
Y = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 3])


def save(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return path


def test_x_and_y_are_split_four_to_one_by_the_seed_and_stay_paired(tmp_path: Path) -> None:
    path = save(tmp_path, x=X, y=np.arange(10), more=np.zeros(3))
    dataset = npz.load(path, 1)
    assert (len(dataset.train), len(dataset.test), dataset.name) == (8, 2, "mine.npz")
    y = np.concatenate([dataset.train.y, dataset.test.y])
    np.testing.assert_array_equal(np.concatenate([dataset.train.x, dataset.test.x]), X[y])
    assert sorted(y) == list(range(10))
    np.testing.assert_array_equal(npz.load(path, 1).train.y, dataset.train.y)
    assert not np.array_equal(npz.load(path, 2).train.y, dataset.train.y)


def test_a_class_seen_only_in_the_test_part_of_a_split_still_counts(tmp_path: Path) -> None:
    path = save(tmp_path, x=X, y=Y)
    assert all(npz.load(path, seed).classes == 4 for seed in range(10))


def test_keras_names_and_uint8_images_are_kept_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(9, 3, 5), dtype=np.uint8)
    path = save(
        tmp_path, x_train=images[:6], y_train=Y[:6].astype(np.uint8), x_test=images[6:], y_test=Y[6:9].reshape(-1, 1)
    )
    dataset = npz.load(path, 0)
    np.testing.assert_array_equal(dataset.train.x, images[:6].reshape(6, 15))
    assert dataset.train.x.dtype == np.uint8
    assert (dataset.train.divisor, dataset.image_shape, dataset.classes) == (255, (3, 5), 3)
    np.testing.assert_array_equal(dataset.train.y, Y[:6])
    np.testing.assert_array_equal(dataset.test.y, Y[6:9])
    assert dataset.train.y.dtype == dataset.test.y.dtype == np.int64


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        ("<f4", "=f4"),
        (">f4", "=f4"),
        (">f8", "=f8"),
        ("f2", "=f8"),
        ("?", "=f8"),
        ("u8", "=f8"),
        ("i8", "=i8"),
        (">i2", "=i8"),
    ],
)
def test_other_inputs_become_native_floats_and_whole_numbers_stay_whole(tmp_path: Path, dtype: str, kept: str) -> None:
    dataset = npz.load(save(tmp_path, x=np.asfortranarray(X.astype(dtype)), y=np.arange(10)), 0)
    assert dataset.train.x.dtype == np.dtype(kept)
    assert dataset.train.x.dtype.isnative
    assert dataset.train.x.flags.c_contiguous
    assert dataset.train.divisor == 1
    np.testing.assert_array_equal(dataset.train.x, X.astype(dtype)[dataset.train.y])


def test_tokens_become_real_only_for_a_model_of_real_inputs(tmp_path: Path) -> None:
    tokens = np.arange(30).reshape(10, 3)
    dataset = npz.load(save(tmp_path, x=tokens, y=np.arange(10)), 0)
    real = with_inputs_for(dataset, SoftmaxRegression(features=3, classes=10))
    assert (real.train.x.dtype, real.test.x.dtype) == (np.float64, np.float64)
    np.testing.assert_array_equal(real.train.x, dataset.train.x)

    def example_batch(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(30, size=(n, 3)), rng.integers(10, size=n)

    sizes = {"param_shapes": {"E": (30, 10)}, "input_shape": 3, "num_classes": 10}
    of_tokens = adopt({**sizes, "forward": print, "backward": print, "example_batch": example_batch})
    assert with_inputs_for(dataset, of_tokens) is dataset


@pytest.mark.parametrize(
    ("y", "shape"), [(np.arange(10.0), (8, 1)), (np.eye(10), (8, 10)), (np.eye(10, dtype=int), (8, 10))]
)
def test_floats_and_tables_are_real_targets(tmp_path: Path, y: np.ndarray, shape: tuple[int, int]) -> None:
    dataset = npz.load(save(tmp_path, x=X, y=y), 0)
    assert dataset.classes is None
    assert dataset.train.y.shape == shape
    assert dataset.outputs == shape[1]
    assert dataset.train.y.dtype == np.float64


def with_value(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": with_value(X, (3, 1), np.nan), "y": Y}, r"x must be finite, got nan at row 3, column 1"),
        ({"x": with_value(X, (9, 0), -np.inf), "y": Y}, r"x must be finite, got -inf at row 9, column 0"),
        ({"x": X, "y": with_value(np.eye(10), (2, 4), np.inf)}, r"y must be finite, got inf at row 2, column 4"),
        ({"x": X, "y": with_value(Y, (4,), -1)}, "y: labels count the classes from 0, got -1"),
        ({"x": X, "y": with_value(Y, (4,), 90_210)}, "label 90210 makes 90211 classes of 10 examples"),
        ({"x": X, "y": np.full(10, 2**64 - 1, np.uint64)}, "label 18446744073709551615 makes"),
        ({"x": X, "y": np.array(["cat"] * 10)}, "y must hold real numbers, got dtype <U3: number the classes"),
        ({"x": X + 1j, "y": Y}, "x must hold real numbers, got dtype complex128"),
        ({"x": X, "y": Y[:9]}, "x and y must have as many examples, got 10 and 9"),
        ({"x": X[:0], "y": Y[:0]}, "x must hold at least one example"),
        ({"x": X[:, :0], "y": Y}, "x must hold at least one example of at least one feature"),
        ({"x": X, "y": np.zeros((10, 0))}, r"y must be labels \(n,\) or real targets \(n, outputs\)"),
        ({"x": X[:, 0], "y": Y}, r"x must be \(n, features\) or \(n, height, width\), got shape \(10,\)"),
        ({"x": X, "y": np.zeros((10, 2, 2))}, r"got shape \(10, 2, 2\)"),
        ({"x": X[:4], "y": Y[:4]}, "needs at least 5, got 4"),
        ({"X": X, "y": Y}, "must hold the arrays x, y or x_train, y_train, x_test, y_test, got 'X', 'y'"),
        ({}, "got none"),
        ({"x": X, "y": np.array([[1], [2, 3]], dtype=object)}, "holds pickled objects, which are never loaded"),
    ],
)
def test_arrays_that_break_a_rule_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        npz.load(save(tmp_path, **arrays), 0)
    assert "mine.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": X[:2, :1]}, "x_train and x_test must have as many features, got 2 and 1"),
        ({"x_test": X[:2].astype(np.uint8)}, "must both be uint8, or neither"),
        ({"y_test": np.array([0.0, 1.0])}, "must both be labels, or real targets"),
        ({"y_test": np.array([0, 3])}, "y_test has label 3, y_train none above 2"),
        ({"y_test": Y[:3]}, "x_test and y_test must have as many examples, got 2 and 3"),
        ({"x_test": with_value(X[:2], (1, 1), np.nan)}, "x_test must be finite, got nan at row 1, column 1"),
    ],
)
def test_test_examples_unlike_the_train_examples_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray], message: str
) -> None:
    good = {"x_train": X[:8], "y_train": Y[:8], "x_test": X[:2], "y_test": Y[:2]}
    assert npz.load(save(tmp_path, **good), 0).classes == 3
    with pytest.raises(UsageError, match=message):
        npz.load(save(tmp_path, **(good | change)), 0)


@pytest.mark.fault(kind="data")
def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    for content in (b"", b"x,y\n1,2\n", b"\x80\x04K\x01."):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"is no \.npz file: write it with numpy\.savez"):
            npz.load(path, 0)


@pytest.mark.fault(kind="data")
def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[content.index(X.tobytes()) + 20] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read, it may be damaged: Bad CRC-32"):
        npz.load(path, 0)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"\x93NUMPY\x01\x00\x05\x00junk!", "cannot be read, it may be damaged"),
        (b"\x93NUMPY\x01\x00\x05\x00{'a':", "cannot be read, it may be damaged"),
        (b"", "x is no array: write the file with numpy.savez"),
        (b"0 1 2", "x is no array: write the file with numpy.savez"),
    ],
)
def test_a_member_that_is_no_array_is_refused(tmp_path: Path, member: bytes, message: str) -> None:
    path = save(tmp_path, y=Y)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        npz.load(path, 0)
    assert "\n" not in str(raised.value)


@pytest.mark.fault(kind="data")
def test_a_header_that_lies_about_its_size_takes_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 5)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(tmp_path / "fake.npz", "w") as archive:
        for name in ("x", "y"):
            archive.writestr(f"{name}.npy", header.getvalue() + b"1234")
    with pytest.raises(UsageError, match=r"fake.npz': the header of x says shape \(1000000000000, 5\) of float64"):
        npz.load(tmp_path / "fake.npz", 0)


@pytest.mark.fault(kind="data")
def test_what_whole_numbers_become_is_counted_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "tokens.npz", x=np.ones((1000, 30), np.int8), y=np.arange(1000) % 3)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=400_000))
    with pytest.raises(UsageError, match=r"tokens.npz' needs 0.0 GB of memory, and 0.0 GB are free: take fewer"):
        npz.load(tmp_path / "tokens.npz", 0)
