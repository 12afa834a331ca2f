"""The smallest counter-example: what is wrong is made small while it stays wrong, until a pencil can follow.

Sizes first: every axis of the same size is one dimension, and is cut as far as it goes. Then numbers: an array of
zeros, of ones, of whole numbers, of one decimal, whatever is still wrong first; at last each entry alone.
"""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

Arrays: TypeAlias = Mapping[str, np.ndarray]

FEW = 12
"""Entries that one can read; each is then made simple by itself."""


class Case(NamedTuple):
    """Numbers at which something is wrong."""

    arrays: dict[str, np.ndarray]
    yours: np.ndarray
    right: np.ndarray

    def told(self, what: str) -> str:
        """Say it in one line."""
        shown = [f"{name} = {written(a)}" for name, a in self.arrays.items() if a.any()]
        zero = ["all else 0"] if len(shown) < len(self.arrays) else []
        return f"at {', '.join([*shown, *zero])}: {what} is {written(self.yours)}, should be {written(self.right)}"


Ask: TypeAlias = Callable[[Arrays], tuple[np.ndarray, np.ndarray] | None]
"""Arrays by name -> what is wrong there and what is right; None where nothing is wrong. It may raise."""


def smallest(arrays: Arrays, ask: Ask, seconds: float) -> Case | None:
    """Return a small case at which ``ask`` still finds something wrong; None where none is found, or it stays large."""
    until = perf_counter() + seconds

    def found(candidate: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
        if perf_counter() > until:
            return None
        try:
            with np.errstate(all="ignore"):
                return ask(candidate)
        except Exception:  # what does not run at these numbers is no example
            return None

    best = dict(arrays)
    for change in (_whole_numbers_to_zero, _fewer, _simpler, _entries):
        for candidates in change(best):
            best.update(next((candidate for candidate in candidates if found(candidate)), {}))
    until += seconds
    last = found(best)
    if last is None or sum(a.size for a in (*best.values(), *last)) > 4 * FEW:
        return None
    return Case(best, *last)


Change: TypeAlias = Iterator[list[dict[str, np.ndarray]]]
"""What the arrays may become, the simplest first."""


def _whole_numbers_to_zero(arrays: dict[str, np.ndarray]) -> Change:
    """Labels and tokens: so that they stay valid where there are fewer classes."""
    for name in [name for name, a in arrays.items() if a.dtype.kind in "iu" and a.any()]:
        yield [{**arrays, name: np.zeros_like(arrays[name])}]


def _fewer(arrays: dict[str, np.ndarray]) -> Change:
    for size in sorted({size for a in arrays.values() for size in a.shape if size > 1}, reverse=True):
        yield [{name: _cut(a, size, k) for name, a in arrays.items()} for k in range(1, size)]


def _simpler(arrays: dict[str, np.ndarray]) -> Change:
    for name in [name for name, a in arrays.items() if a.dtype.kind == "f"]:
        a = arrays[name]
        yield [{**arrays, name: b} for b in (np.zeros_like(a), np.ones_like(a), np.rint(a), np.round(a, 1))]


def _entries(arrays: dict[str, np.ndarray]) -> Change:
    if sum(a.size for a in arrays.values()) > FEW:
        return
    for name in [name for name, a in arrays.items() if a.dtype.kind == "f"]:
        for i in range(arrays[name].size):
            yield [{**arrays, name: _with(arrays[name], i, entry)} for entry in (0.0, 1.0, 2.0)]


def _cut(a: np.ndarray, size: int, to: int) -> np.ndarray:
    return np.asarray(a[tuple(slice(to) if axis == size else slice(None) for axis in a.shape)])  # a scalar too


def _with(a: np.ndarray, i: int, entry: float) -> np.ndarray:
    own = np.array(a)
    own.flat[i] = entry
    return own


def written(a: np.ndarray) -> str:
    """Return an array as one writes it by hand: [[1, 0.5]]."""
    if a.ndim:
        return f"[{', '.join(written(np.asarray(row)) for row in a)}]"
    return f"{round(float(a), 9) + 0.0:.4g}"
