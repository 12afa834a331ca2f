"""Plain code: ordinary NumPy with a backward pass written by hand, checked without changing a line of it."""

from gradparity.subjects.plain.capture import SECONDS
from gradparity.subjects.plain.check import check_cell, check_code, check_file, is_plain, split

__all__ = ["SECONDS", "check_cell", "check_code", "check_file", "is_plain", "split"]
