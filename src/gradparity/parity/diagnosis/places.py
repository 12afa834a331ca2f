"""Errors in a few places: one entry, one row, one example."""

import numpy as np

from gradparity.parity.diagnosis.evidence import Discrepancy
from gradparity.parity.diagnosis.words import apart, example, is_not, noun, singular, worst


def one_entry(error: Discrepancy) -> str | None:
    """A single entry is wrong."""
    size, at = error.wrong.size, worst(error.difference)
    if np.count_nonzero(error.wrong) != 1 or size == 1 or not error.elsewhere_right:
        return None
    per_example = error.evidence.per_example and error.expected.ndim == 1
    of = f", {example(at[0], size)}," if per_example else ""
    return f"has 1 of {size} entries wrong: at {list(at)}{of} it is {is_not(error.array, error.expected, at)}"


def few_slices(error: Discrepancy) -> str | None:
    """The wrong entries are most of what less than half of the rows, or of the columns, hold; all others are right."""
    ndim = error.expected.ndim
    if ndim < 2 or not error.elsewhere_right:
        return None
    for axis in range(ndim):
        bad = np.flatnonzero(error.wrong.any(axis=tuple(other for other in range(ndim) if other != axis)))
        held = np.count_nonzero(((error.array != 0) | (error.expected != 0)).take(bad, axis))
        if 0 < 2 * len(bad) < error.expected.shape[axis] and 2 * np.count_nonzero(error.wrong) > held:
            return f"is right but for {_named(error, axis, bad)}: {_state(error, axis, bad)}"
    return None


def few_entries(error: Discrepancy) -> str | None:
    """At most a quarter of the entries that are not zero are wrong."""
    count, at = int(np.count_nonzero(error.wrong)), worst(error.difference)
    if not 0 < 4 * count <= np.count_nonzero(error.expected) or not error.elsewhere_right:
        return None
    entry = is_not(error.array, error.expected, at)
    return f"has {count} of {error.wrong.size} entries wrong, the worst at {list(at)}: it is {entry}"


def _named(error: Discrepancy, axis: int, bad: np.ndarray) -> str:
    e = error.evidence
    per_example = axis == 0 and e.per_example
    if len(bad) == 1:
        index = int(bad[0])
        return example(index, e.n) if per_example else f"{singular(noun(axis, error.expected.ndim))} {index}"
    return f"{'examples' if per_example else noun(axis, error.expected.ndim)} {', '.join(map(str, bad))}"


def _state(error: Discrepancy, axis: int, bad: np.ndarray) -> str:
    """Say what the wrong slices hold."""
    array, right = error.array.take(bad, axis), error.expected.take(bad, axis)
    its = "its" if len(bad) == 1 else "their"
    if not array.any():
        return f"{its} numbers are zero"
    if not right.any():
        return f"{its} numbers should be zero"
    if error.agree(array, -right):
        return f"{its} numbers have the wrong sign"
    if len(bad) == 1:
        for other in range(error.expected.shape[axis]):
            if error.agree(array, error.expected.take([other], axis)):
                return f"its numbers are those of {_named(error, axis, np.array([other]))}"
    k = float(np.vdot(array, right) / np.vdot(right, right))
    if error.agree(array, k * right, free=1):
        return f"{its} numbers are {apart(k, 1.0)[0]} times the right ones"
    at = worst(error.difference)
    return f"the worst entry is {list(at)}: {is_not(error.array, error.expected, at)}"
