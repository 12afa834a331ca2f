"""A user's .csv file: an optional header row, then one example per row, its last column y."""

import csv
import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Float

from gradparity.data import requirements
from gradparity.data.dataset import Dataset
from gradparity.errors import UsageError
from gradparity.limits import require_memory

LONGEST = 1 << 22
"""Characters of a row."""
PER_CHARACTER = 16
"""Bytes that a number of two characters, its comma too, becomes: once as it is read, once as it is shuffled."""
WHOLE_NUMBER = re.compile(r"\s*[+-]?\d+\s*")


def load(path: Path, seed: int) -> Dataset:
    """Load x (n, columns − 1) as float64, and y: labels (n,) if each is written as a whole number, else reals (n, 1).

    A first row without any number is a header. The examples are shuffled by ``seed``, and one in five is for testing.
    Rows in messages are lines of the file, counted from 1.

    Raises UsageError for an empty or undecodable file, ragged rows, cells that are not finite numbers, and what
    ``gradparity.data.requirements`` refuses.
    """
    try:
        table, whole = _parse(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"'{path}' is no comma-separated text in UTF-8: {error}") from None
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None
    x, last = np.ascontiguousarray(table[:, :-1]), table[:, -1]
    y = requirements.labels(f"'{path}': the last column", last) if whole else last.reshape(-1, 1).copy()
    train, test = requirements.split(f"'{path}'", x, y, 1.0, seed)
    return Dataset(path.name, train, test, requirements.classes(y), None)


def _parse(path: Path) -> tuple[Float[np.ndarray, "n columns"], bool]:
    """Return the numbers, and whether the whole last column is written as whole numbers."""
    numbers = array("d")
    columns, whole = 0, True
    require_memory(f"'{path}'", path.stat().st_size * PER_CHARACTER, "take fewer examples")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(_lines(path, file))
        for row in rows:
            if not row:
                continue
            if columns == 0:
                columns = len(row)
                if not any(map(_is_number, row)):
                    continue
            where = f"'{path}', row {rows.line_num}"
            if len(row) != columns:
                raise UsageError(f"{where}: every row must have {columns} columns, as the first, got {len(row)}")
            numbers.extend(_numbers(where, row))
            whole = whole and WHOLE_NUMBER.fullmatch(row[-1]) is not None
    if not numbers:
        raise UsageError(f"'{path}' holds no examples: it needs rows of numbers, the last column y")
    if columns < 2:
        raise UsageError(f"'{path}' must have at least two columns, separated by commas, the last one y; got one")
    return np.frombuffer(numbers, np.float64).reshape(-1, columns), whole


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Yield the lines; a file that is one long line is no table, and would fill the memory with its cells."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise UsageError(
                f"'{path}', row {number}: a row has at most {LONGEST:,} characters: put each example on its own line"
            )
        yield line


def _numbers(where: str, row: list[str]) -> list[float]:
    try:
        values = list(map(float, row))
    except ValueError:
        column = next(i for i, cell in enumerate(row) if not _is_number(cell))
        raise UsageError(
            f"{where}, column {column + 1}: must be a number, got {row[column]!r}; columns are separated by commas"
        ) from None
    if not all(map(math.isfinite, values)):
        column = next(i for i, value in enumerate(values) if not math.isfinite(value))
        raise UsageError(f"{where}, column {column + 1}: must be finite, got {row[column]!r}")
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
