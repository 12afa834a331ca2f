"""Factors that differ from entry to entry: a local derivative or a mask that is missing, doubled or mistaken."""

from collections.abc import Iterator
from math import lgamma, log

import numpy as np
from jaxtyping import Bool

from gradparity.parity.diagnosis.evidence import CHANCE, CLOSE, Discrepancy
from gradparity.parity.diagnosis.expressions import Expression, unary


def local_factor(error: Discrepancy) -> str | None:
    """array · g = expected, array = expected · g, or array · g = expected · h, for known g and h."""
    if error.evidence.vanishes:
        return None
    factors = list(unary(error.evidence.terms, error.expected.shape))
    guesses = (_missing, _doubled, _mistaken)
    return next((what for guess in guesses for what in guess(error, factors)), None)


def mask(error: Discrepancy) -> str | None:
    """Entries are zero where they should not be, or the reverse, and all others are right."""
    array, right, wrong = error.array, error.expected, error.wrong
    missing, extra = wrong & (right == 0), wrong & (array == 0)
    if (wrong & ~missing & ~extra).any():
        return None
    of = f"of {wrong.size} entries are"
    if not extra.any():
        where = f"{_count(missing)} {of} not zero where they should be"
        return f"lacks a mask: {where}" if _covers(right == 0, wrong) else None
    if _count(extra) < 3:
        return None
    where = f"{_count(extra)} {of} zero where they should not be"
    return f"has a wrong mask: {where}" + (f", and {_count(missing)} the reverse" if missing.any() else "")


def signs(error: Discrepancy) -> str | None:
    """|array| = |expected|."""
    if _count(error.wrong) < 2 or not error.agree(np.abs(error.array), np.abs(error.expected)):
        return None
    return f"has the wrong sign in {_count(error.wrong)} of {error.wrong.size} entries"


def _missing(error: Discrepancy, factors: list[Expression]) -> Iterator[str]:
    for g in factors:
        if not error.agree(error.array * g.value, error.expected, entries=_telling(error, g)):
            continue
        masked = _count(error.wrong & (g.value == 0))
        yield f"lacks the factor {g.text}" + (
            f": {masked} of {error.wrong.size} entries are not zero where they should be" if masked else ""
        )


def _doubled(error: Discrepancy, factors: list[Expression]) -> Iterator[str]:
    for g in factors:
        if error.agree(error.array, error.expected * g.value, entries=_telling(error, g)):
            yield f"has the factor {g.text} once too often"


def _mistaken(error: Discrepancy, factors: list[Expression]) -> Iterator[str]:
    for i, j in _plausible(error, factors):
        used, right = factors[i], factors[j]
        if (error.wrong & (right.value == 0)).any() or error.agree(error.array, used.value):
            continue
        entries = _count(error.wrong & (used.value != 0))
        if error.agree(error.array * right.value, error.expected * used.value, entries=entries):
            yield f"has the factor {used.text} where {right.text} belongs"


def _plausible(error: Discrepancy, factors: list[Expression]) -> list[tuple[int, int]]:
    """The pairs (used, right) that fit three large entries: there are too many pairs to try each on all entries."""
    large = np.argsort(np.minimum(np.abs(error.array), np.abs(error.expected)), axis=None)[-3:]
    values = np.array([factor.value.flat[large] for factor in factors]).reshape(len(factors), len(large))
    a = error.array.flat[large] * values[None, :, :]
    b = error.expected.flat[large] * values[:, None, :]
    fit = (np.abs(a - b) <= CLOSE * (np.abs(a) + np.abs(b))).all(axis=-1)
    return [(int(i), int(j)) for i, j in np.argwhere(fit) if i != j]


def _telling(error: Discrepancy, g: Expression) -> int:
    """How many wrong entries speak for the factor g.

    Where g is zero any number would fit. So a mask, which is zero at all the wrong entries, is judged by where
    they lie, and then each of them counts.
    """
    if _covers(g.value == 0, error.wrong):
        return _count(error.wrong)
    return _count(error.wrong & (g.value != 0))


def _covers(zero: Bool[np.ndarray, "*shape"], wrong: Bool[np.ndarray, "*shape"]) -> bool:
    """Whether all the wrong entries lie where something is zero, and so many of them not by chance."""
    count = _count(wrong)
    if (wrong & ~zero).any() or count == 0:
        return False
    return _log_choices(_count(zero), count) - _log_choices(wrong.size, count) <= log(CHANCE)


def _log_choices(size: int, count: int) -> float:
    """The logarithm of the number of ways to choose count of size entries."""
    return lgamma(size + 1) - lgamma(count + 1) - lgamma(size - count + 1)


def _count(where: Bool[np.ndarray, "..."]) -> int:
    return int(np.count_nonzero(where))
