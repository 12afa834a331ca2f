"""The bugs: each makes of a line's right value what a known mistake would have written."""

from collections.abc import Callable
from functools import partial

import numpy as np

from gradparity.protocol import Array, Batch
from gradparity_mutants.plant import Change, Keyed, PlantSite, chain

FIRST, LAST = 0, -1
STALE_STEP = 0.1
"""Learning rate of the step by which stale weights are behind."""


def zero(value: Array, _: PlantSite) -> Array:
    """The line is never computed."""
    return np.zeros_like(value)


def scaled(factor: Callable[[int], float], value: Array, at: PlantSite) -> Array:
    """A factor too many or too few; it may depend on the number of examples."""
    return value * factor(len(at.batch.x))


def swapped_axes(value: Array, _: PlantSite) -> Array | None:
    """A missing transpose: the numbers of the transposed array, read in the right shape."""
    return value.T.reshape(value.shape) if np.ndim(value) > 1 else None


def summed(axis: int, value: Array, _: PlantSite) -> Array | None:
    """One axis summed that should not be, and broadcast again."""
    if np.ndim(value) < (1 if axis == FIRST else 2):
        return None
    return np.broadcast_to(value.sum(axis=axis, keepdims=True), value.shape)


def dropped_term(share: int, value: Array, at: PlantSite) -> Array:
    """One use of the name does not send its gradient back."""
    return np.zeros_like(value) if at.share == share else value


def dropped_example(value: Array, at: PlantSite) -> Array:
    """The last example is left out: its row is zero, or its share of the sum over examples is missing."""
    n = len(at.batch.x)
    if np.ndim(value) and len(value) == n:
        return np.concatenate([value[:-1], np.zeros_like(value[-1:])])

    def but_last(arrays: Keyed) -> Keyed:
        return {name: a[:-1] if np.ndim(a) and len(a) == n else a for name, a in arrays.items()}

    return at.again(batch=at.batch.map(lambda a: a[:-1]), c=but_last(at.c), d=but_last(at.d))


def one_wrong_entry(value: Array, _: PlantSite) -> Array | None:
    """The entry of median size has the wrong sign."""
    if np.ndim(value) == 0:
        return None
    wrong = np.array(value)
    middle = np.argsort(np.abs(wrong), axis=None)[wrong.size // 2]
    wrong.flat[middle] *= -1
    return wrong


def missing_mask(value: Array, at: PlantSite) -> Array | None:
    """The line hands on what it read: no mask, no local derivative."""
    same_shape = [a for a in at.read if np.shape(a) == np.shape(value)]
    return same_shape[-1] if same_shape else None


def stale_examples(other: Batch, _: Array, at: PlantSite) -> Array:
    """The line reads the examples of another batch."""
    return at.again(batch=_like(other, at.batch))


def stale_cache(other: Batch, _: Array, at: PlantSite) -> Array:
    """The line reads a cache that the forward pass wrote for another batch."""
    c, _ = chain(at.hand, at.p, _like(other, at.batch))
    return at.again(c=c)


def stale_upstream(other: Batch, _: Array, at: PlantSite) -> Array | None:
    """The line reads upstream gradients of another batch."""
    if at.symbol == "c":
        return None
    _, d = chain(at.hand, at.p, _like(other, at.batch))
    return at.again(d=d)


def stale_weights(_: Array, at: PlantSite) -> Array:
    """The line reads the weights of one step of gradient descent later."""
    _, d = chain(at.hand, at.p, at.batch)
    return at.again(p={name: p - np.asarray(STALE_STEP, p.dtype) * d[name] for name, p in at.p.items()})


def not_a_number(value: Array, _: PlantSite) -> Array:
    """One entry is NaN."""
    wrong = np.array(value)
    wrong.flat[0] = np.nan
    return wrong


def mutations(other: Batch, shares: int) -> dict[str, Change]:
    """Return the bugs of a line that is written in so many shares; ``other`` is another batch of as many examples."""
    found: dict[str, Change] = {
        "zero": zero,
        "negated": partial(scaled, lambda _: -1.0),
        "×1.001": partial(scaled, lambda _: 1.001),
        "×2": partial(scaled, lambda _: 2.0),
        "×n": partial(scaled, float),
        "÷n": partial(scaled, lambda n: 1 / n),
        "÷(n−1)": partial(scaled, lambda n: 1 / (n - 1)),
        "×n÷(n−1)": partial(scaled, lambda n: n / (n - 1)),
        "swapped axes": swapped_axes,
        "summed over first axis": partial(summed, FIRST),
        "summed over last axis": partial(summed, LAST),
        "dropped last example": dropped_example,
        "one wrong entry": one_wrong_entry,
        "missing mask": missing_mask,
        "stale examples": partial(stale_examples, other),
        "stale cache": partial(stale_cache, other),
        "stale upstream": partial(stale_upstream, other),
        "stale weights": stale_weights,
        "NaN": not_a_number,
    }
    if shares > 1:
        found |= {f"dropped term {k + 1}": partial(dropped_term, k) for k in range(shares)}
    return found


def _like(other: Batch, batch: Batch) -> Batch:
    """Give the other batch the dtype of the one at hand."""
    extras = {name: other.extras[name].astype(own.dtype) for name, own in batch.extras.items()}
    return Batch(other.x.astype(batch.x.dtype), other.y.astype(batch.y.dtype), extras)
