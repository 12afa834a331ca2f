"""Why a line disagrees, in one sentence: the error is fitted to known causes, the most specific first.

A cause is named only where it explains the whole error, up to what rounding leaves, and where chance would hardly
explain as much. What no cause explains is said to be so.
"""

import numpy as np

from gradparity.parity.diagnosis.axes import centred, rearranged, summed
from gradparity.parity.diagnosis.elementwise import local_factor, mask, signs
from gradparity.parity.diagnosis.evidence import Discrepancy, Evidence, gather
from gradparity.parity.diagnosis.factors import constant_factor, known_factor
from gradparity.parity.diagnosis.misfit import misfit
from gradparity.parity.diagnosis.places import few_entries, few_slices, one_entry
from gradparity.parity.diagnosis.shares import made_of, one_example, scalar_share, share, swapped_array
from gradparity.parity.diagnosis.words import UNEXPLAINED, is_not, worst

__all__ = ["UNEXPLAINED", "Evidence", "diagnose", "gather"]

CAUSES = (
    known_factor,
    scalar_share,
    constant_factor,
    rearranged,
    summed,
    centred,
    local_factor,
    swapped_array,
    one_entry,
    one_example,
    share,
    few_slices,
    mask,
    signs,
    made_of,
    few_entries,
)
"""The most specific first; a later one is also true of some errors that an earlier one explains better."""


def diagnose(evidence: Evidence) -> str:
    """Say in one sentence why a line that disagrees does so: "d['W1'] is n times too large (n = 7): …"."""
    with np.errstate(all="ignore"):  # a guess that overflows is a wrong guess
        return f"{evidence.line} {misfit(evidence) or _cause(evidence)}"


def _cause(e: Evidence) -> str:
    error = Discrepancy(e, np.atleast_1d(np.asarray(e.array, dtype=np.float64)), np.atleast_1d(e.expected))
    if error.size <= e.limit * e.scale:
        return "agrees: its error is rounding"
    if error.wrong.any():
        found = next(filter(None, (cause(error) for cause in CAUSES)), None)
        if found is not None:
            return found
    at = worst(error.difference)
    entry = f"the worst entry is {list(at)}: " if error.wrong.size > 1 else ""
    what = "should be zero, and" if e.vanishes else "is wrong:"
    return f"{what} {UNEXPLAINED}; {entry}{is_not(error.array, error.expected, at)}"
