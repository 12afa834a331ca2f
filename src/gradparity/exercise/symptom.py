"""What is wrong with a line, so that a learner can look for the cause: its kind, never a formula nor a right number.

The kinds are those of the diagnosis, whose own sentences would tell the answer.
"""

from collections.abc import Callable
from math import isclose, sqrt

import numpy as np

from gradparity.parity.diagnosis import Evidence
from gradparity.parity.diagnosis.axes import centred, rearranged, summed
from gradparity.parity.diagnosis.elementwise import local_factor, mask, signs
from gradparity.parity.diagnosis.evidence import Discrepancy
from gradparity.parity.diagnosis.places import few_entries, few_slices, one_entry
from gradparity.parity.diagnosis.shares import made_of, one_example, scalar_share, share, swapped_array
from gradparity.parity.norms import norm

TERM = "a term is missing from it, or one is there that does not belong"
NEARLY = 1e-5
"""What float32, or an epsilon, leaves at most of an error, relative to the line."""
ZEROS = "some entries are zero that should not be, or the other way round"
KINDS: dict[Callable[[Discrepancy], str | None], str] = {
    scalar_share: TERM,
    rearranged: "it holds the right numbers in the wrong places",
    summed: "it is added up along an axis that should have stayed",
    centred: "along one of its axes, all entries are off by the same amount",
    local_factor: "it is off by a factor that differs from entry to entry",
    swapped_array: "it is made from the wrong arrays",
    one_entry: "one entry is wrong, all others are right",
    one_example: "one example is left out, or counted twice",
    share: TERM,
    few_slices: "some of its rows or columns are wrong, the others are right",
    mask: ZEROS,
    signs: "some entries have the wrong sign, and all have the right size",
    made_of: "an array or a factor in it is a wrong one, or a term is missing from it",
    few_entries: "a few entries are wrong, the others are right",
}
"""Cause -> what may be said of it; the most specific first, as in the diagnosis."""


def symptom(e: Evidence) -> str:
    """Say in a few words what is wrong with a line that disagrees: "it has the wrong sign"."""
    with np.errstate(all="ignore"):  # a guess that overflows is a wrong guess
        return _misfit(e) or _kind(e)


def _misfit(e: Evidence) -> str | None:
    """Say why the numbers cannot be compared, where they cannot."""
    if e.array is None:
        other = next((name for name, array in e.strays.items() if np.shape(array) == e.expected.shape), None)
        return "it is never written" + (f", but d['{other}'] of the same shape is" if other else "")
    if e.array.shape != e.expected.shape:
        seen = f"its shape is {e.array.shape}, that of {e.name} is {e.expected.shape}"
        return f"its axes are the other way round: {seen}" if e.array.shape == e.expected.shape[::-1] else seen
    return None if np.isfinite(e.array).all() else "it is infinite or not a number somewhere"


def _kind(e: Evidence) -> str:
    error = Discrepancy(e, np.atleast_1d(np.asarray(e.array, dtype=np.float64)), np.atleast_1d(e.expected))
    if not e.vanishes:
        if norm(error.array) <= e.limit * e.scale:
            return "it is zero everywhere"
        k = float(np.vdot(error.array, error.expected) / np.vdot(error.expected, error.expected))
        # A single number is some multiple of any other, so there only a factor that has a cause counts.
        known = any(isclose(abs(k), factor) for factor in (1, 2, 1 / 2, *_made_of(e.n)))
        if error.agree(error.array, k * error.expected, free=0 if known else 1):
            return _factor(k, e.n)
    return next((kind for cause, kind in KINDS.items() if cause(error)), None) or _of_no_cause(error)


def _of_no_cause(error: Discrepancy) -> str:
    if error.array.size == 1:
        return "its value is wrong"
    if error.size <= NEARLY * error.evidence.scale:
        return "it is nearly right: something in it is rounded, or a small number is in the way"
    if np.count_nonzero((error.array == 0) != (error.expected == 0)) > 2:
        return ZEROS
    some = error.elsewhere_right and not error.wrong.all()
    return "some entries are right, the others are wrong" if some else "its numbers are wrong, in no simple way"


def _made_of(n: int) -> tuple[float, ...]:
    counts = (n, sqrt(n), n - 1, n / (n - 1))
    return (*counts, *(1 / count for count in counts))


def _factor(k: float, n: int) -> str:
    sign = "it has the wrong sign" if k < 0 else ""
    if isclose(abs(k), 1):
        return sign
    factor = "all of it is off by one and the same factor"
    on_n = any(isclose(abs(k), known) for known in _made_of(n))
    of_n = ", which depends on n, the number of examples" if on_n else ""
    return f"{sign}, and {factor}{of_n}" if sign else factor + of_n
