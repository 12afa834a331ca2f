"""A user's .csv: what counts as a header, labels and targets, and which row an error is on."""

from pathlib import Path

import numpy as np
import pytest

from gradparity.data import csv_file
from gradparity.errors import UsageError

ROWS = ["0.5,1,0", "1.5,2,1", "2.5,3,2", "3.5,4,0", "4.5,5,1"]


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("before", [[], ["width,height,kind"], ["\ufeffwidth,height,kind"], ["", '"a, b",c,d', ""]])
def test_rows_become_float64_inputs_and_labels_with_or_without_a_header(tmp_path: Path, before: list[str]) -> None:
    dataset = csv_file.load(write(tmp_path, *before, *ROWS, ""), 0)
    x = np.concatenate([dataset.train.x, dataset.test.x])
    y = np.concatenate([dataset.train.y, dataset.test.y])
    order = np.argsort(x[:, 0])
    np.testing.assert_array_equal(x[order], [[0.5, 1], [1.5, 2], [2.5, 3], [3.5, 4], [4.5, 5]])
    np.testing.assert_array_equal(y[order], [0, 1, 2, 0, 1])
    assert (len(dataset.train), len(dataset.test), dataset.classes, dataset.name) == (4, 1, 3, "mine.csv")
    assert x.dtype == np.float64
    assert y.dtype == np.int64
    assert dataset.train.x.flags.c_contiguous


def test_one_decimal_point_in_the_last_column_makes_real_targets(tmp_path: Path) -> None:
    dataset = csv_file.load(write(tmp_path, *ROWS[:4], "4.5,5,-1.0"), 0)
    assert dataset.classes is None
    assert sorted(np.concatenate([dataset.train.y, dataset.test.y]).tolist()) == [[-1.0], [0.0], [0.0], [1.0], [2.0]]


def test_the_seed_decides_the_split(tmp_path: Path) -> None:
    path = write(tmp_path, *(f"{i},{i}" for i in range(30)))
    np.testing.assert_array_equal(csv_file.load(path, 5).test.y, csv_file.load(path, 5).test.y)
    assert not np.array_equal(csv_file.load(path, 5).test.y, csv_file.load(path, 6).test.y)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no examples"),
        (["a,b,c"], "holds no examples"),
        (["a,b,c", *ROWS[:2], "1,2"], "row 4: every row must have 3 columns, as the first, got 2"),
        ([*ROWS, "", "1,2,3,4"], "row 7: every row must have 3 columns, as the first, got 4"),
        ([*ROWS, "1,two,0"], "row 6, column 2: must be a number, got 'two'"),
        (["1,2.O,0", *ROWS], "row 1, column 2: must be a number, got '2.O'"),
        ([*ROWS, "1,,0"], "row 6, column 2: must be a number, got ''"),
        ([*ROWS, "nan,2,0"], "row 6, column 1: must be finite, got 'nan'"),
        ([*ROWS, "1,2,inf"], "row 6, column 3: must be finite, got 'inf'"),
        ([*ROWS, "1,2,-1"], "the last column: labels count the classes from 0, got -1"),
        ([*ROWS, "1,2,250000"], "label 250000 makes 250001 classes of 6 examples"),
        ([*ROWS[:4]], "needs at least 5, got 4"),
        (["1", "2", "3", "4", "5"], "must have at least two columns"),
        (["a;b", "1;2"], "row 2, column 1: must be a number, got '1;2'; columns are separated by commas"),
    ],
)
def test_each_error_names_the_file_and_the_row(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        csv_file.load(write(tmp_path, *lines), 0)
    assert "mine.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.fault(kind="data")
@pytest.mark.parametrize("content", [b"1,2\n\xff\xfe,3\n", b'1,"2\n' + b"0" * 140_000])
def test_what_is_no_text_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"mine\.csv' is no comma-separated text in UTF-8"):
        csv_file.load(path, 0)


@pytest.mark.fault(kind="data")
def test_a_table_in_one_line_is_refused_before_its_cells_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "LONGEST", 100)
    (tmp_path / "one.csv").write_text("1,2\n" + "1," * 60)
    with pytest.raises(UsageError, match=r"one.csv', row 2: a row has at most 100 characters: put each example on"):
        csv_file.load(tmp_path / "one.csv", 0)
