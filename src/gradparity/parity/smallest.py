"""The smallest counter-example: what is wrong is made small while it stays wrong, until a pencil can follow.

Sizes first: every axis of the same size is one dimension, and is cut as far as it goes. Then numbers: an array of
zeros, of ones, of whole numbers, of one decimal, whatever is still wrong first; at last each entry alone.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple, TypeAlias

import numpy as np

Arrays: TypeAlias = Mapping[str, np.ndarray]

FEW = 12
"""Entries that one can read; each is then made simple by itself."""
LEAST = 1 / 20
"""The least that an ask counts, however small the arrays are."""
ONE_BY_ONE = 9
"""Sizes up to which each is tried; of larger ones, powers of two and those plus one, as blocks are cut."""


class Case(NamedTuple):
    """Numbers at which something is wrong."""

    arrays: dict[str, np.ndarray]
    yours: np.ndarray
    right: np.ndarray

    def told(self, what: str) -> str:
        """Say it in one line: the numbers, or the shapes alone where they are many."""
        if sum(a.size for a in (*self.arrays.values(), self.yours, self.right)) > 4 * FEW:
            return f"in the shapes {', '.join(f'{name} {a.shape}' for name, a in self.arrays.items())}"
        shown = [f"{name} = {written(a)}" for name, a in self.arrays.items() if a.any()]
        zero = ["all else 0" if shown else "nothing but zeros"] if len(shown) < len(self.arrays) else []
        return f"at {', '.join([*shown, *zero])}: {what} is {written(self.yours)}, should be {written(self.right)}"


Ask: TypeAlias = Callable[[Arrays], tuple[np.ndarray, np.ndarray] | None]
"""Arrays by name -> what is wrong there and what is right; None where nothing is wrong. It may raise."""


def smallest(arrays: Arrays, ask: Ask, asks: float) -> Case | None:
    """Return a small case at which ``ask`` still finds something wrong; None where nothing is wrong at the first.

    It is asked at most ``asks`` times at arrays of this size, and at smaller ones as much more often.
    """
    left, full = asks, _size(arrays)

    def found(candidate: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
        nonlocal left
        if left <= 0:
            return None
        left -= max(LEAST, _size(candidate) / full)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                return ask(candidate)
        except Exception:  # what does not run at these numbers is no example
            return None

    best, last = dict(arrays), found(arrays)
    if last is None:
        return None
    for change in (_whole_numbers_to_zero, _fewer, _simpler, _entries):
        for candidates in change(best):
            for candidate in candidates:
                answer = found(candidate)
                if answer is not None:
                    last = answer
                    best.update(candidate)
                    break
    return Case(best, *last)


Change: TypeAlias = Iterator[Iterator[dict[str, np.ndarray]]]
"""What the arrays may become, the simplest first."""


def _size(arrays: Arrays) -> int:
    return sum(a.size for a in arrays.values())


def _whole_numbers_to_zero(arrays: dict[str, np.ndarray]) -> Change:
    """Labels and tokens: so that they stay valid where there are fewer classes."""
    for name in [name for name, a in arrays.items() if a.dtype.kind in "iu" and a.any()]:
        yield iter([{**arrays, name: np.zeros_like(arrays[name])}])


def _fewer(arrays: dict[str, np.ndarray]) -> Change:
    for size in sorted({size for a in arrays.values() for size in a.shape if size > 1}, reverse=True):
        yield ({name: _cut(a, size, k) for name, a in arrays.items()} for k in _sizes_below(size))


def _sizes_below(size: int) -> Iterator[int]:
    yield from range(1, min(size, ONE_BY_ONE + 1))
    power = 2 * (ONE_BY_ONE - 1)
    while power < size:
        yield power
        if power + 1 < size:
            yield power + 1
        power *= 2


def _simpler(arrays: dict[str, np.ndarray]) -> Change:
    for name in [name for name, a in arrays.items() if a.dtype.kind == "f"]:
        a = arrays[name]
        simple = (np.zeros_like(a), np.ones_like(a), np.rint(a), np.round(a, 1))
        yield ({**arrays, name: b} for b in _before(simple, a))


def _entries(arrays: dict[str, np.ndarray]) -> Change:
    if _size(arrays) > FEW:
        return
    for name in [name for name, a in arrays.items() if a.dtype.kind == "f"]:
        for i in range(arrays[name].size):
            simple = [_with(arrays[name], i, entry) for entry in (0.0, 1.0, 2.0)]
            yield ({**arrays, name: b} for b in _before(simple, arrays[name]))


def _before(simple: Sequence[np.ndarray], a: np.ndarray) -> Iterator[np.ndarray]:
    """Yield what is simpler than the array itself, where that is one of the simple ones."""
    return takewhile(lambda b: not np.array_equal(a, b), simple)


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
