"""The right numbers in the wrong places, or summed over an axis that should have stayed."""

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Float, Shaped

from gradparity.parity.diagnosis.evidence import Discrepancy
from gradparity.parity.diagnosis.words import noun

Guess = tuple[str, Float[np.ndarray, "..."]]


def rearranged(error: Discrepancy) -> str | None:
    """Array holds the numbers of expected, transposed, reversed, shifted or in another order."""
    guesses = (_transposed, _reversed, _shifted, _reordered)
    return next((what for guess in guesses for what, value in guess(error) if error.agree(error.array, value)), None)


def summed(error: Discrepancy) -> str | None:
    """Every entry along some axes is the sum over them: broadcasting hides that the axes are gone."""
    right = error.expected
    if not (error.wrong & (right != 0)).any():  # one entry of each sum is not zero: it is a mask that is missing
        return None
    for count in range(right.ndim, 0, -1):
        for axes in combinations(range(right.ndim), count):
            if error.agree(error.array, np.broadcast_to(right.sum(axis=axes, keepdims=True), right.shape)):
                over = "all axes" if count == right.ndim else f"axis {axes[0]}" if count == 1 else f"axes {axes}"
                return f"is summed over {over}"
    return None


def centred(error: Discrepancy) -> str | None:
    """Expected is array − mean(array) along an axis: the gradient of a normalisation or a softmax loses this term."""
    array, right = error.array, error.expected
    for axis in range(right.ndim):
        if right.shape[axis] > 1 and error.agree(array - array.mean(axis=axis, keepdims=True), right):
            return f"still has its mean over axis {axis}: that should be subtracted"
    return None


def _transposed(error: Discrepancy) -> Iterator[Guess]:
    right = error.expected
    for order in permutations(range(right.ndim)):
        value = right.transpose(order)
        if order != tuple(range(right.ndim)) and value.shape == right.shape:
            yield "is transposed" + (f": its axes come in the order {order}" if right.ndim > 2 else ""), value


def _reversed(error: Discrepancy) -> Iterator[Guess]:
    right = error.expected
    for count in range(1, right.ndim + 1):
        for axes in combinations(range(right.ndim), count):
            what = " and ".join(noun(axis, right.ndim) for axis in axes)
            yield f"has its {what} in reverse order", np.flip(right, axes)


def _shifted(error: Discrepancy) -> Iterator[Guess]:
    """By one along any axis: the end comes round to the start."""
    right = error.expected
    for axis in range(right.ndim):
        for steps in (1, -1):
            yield f"has its {noun(axis, right.ndim)} shifted by {steps}", np.roll(right, steps, axis)


def _reordered(error: Discrepancy) -> Iterator[Guess]:
    """Slices are matched by the order of their projections on one direction; then single entries by their size."""
    array, right = error.array, error.expected
    for axis in range(right.ndim):
        slices, right_slices = _slices(array, axis), _slices(right, axis)
        direction = np.sin(1.0 + np.arange(slices.shape[1]))
        value = np.empty_like(right_slices)
        value[np.argsort(slices @ direction)] = right_slices[np.argsort(right_slices @ direction)]
        moved = np.flatnonzero(_slices(error.wrong, axis).any(axis=1))
        what = noun(axis, right.ndim)
        swapped = f"has its {what} {moved[0]} and {moved[-1]} swapped"
        order = swapped if len(moved) == 2 else f"has its {what} in another order"
        yield order, np.moveaxis(value.reshape(np.moveaxis(right, axis, 0).shape), 0, axis)
    value = np.empty(right.size)
    value[np.argsort(array, axis=None)] = np.sort(right, axis=None)
    yield "holds the right numbers in another order: a reshape or a transpose is wrong", value.reshape(right.shape)


def _slices(a: Shaped[np.ndarray, "..."], axis: int) -> Shaped[np.ndarray, "slices entries"]:
    return np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1)
