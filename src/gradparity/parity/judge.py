"""One verdict per named array: its distance from the witness's, against what rounding explains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gradparity.errors import UsageError, quoted
from gradparity.parity.budget import FACTOR, ULP, Budgets
from gradparity.parity.norms import ZERO, norm, relative_error
from gradparity.parity.rows import Kind, Row
from gradparity.protocol import Dtype, Trace

FLOAT64_LIMIT = 1e-10
"""The largest relative error of a right formula in float64."""
TOO_LOOSE = 0.5
"""A limit above this would let a gradient pass that is half of what it should be."""

NEARLY_ZERO = 1e-2
"""What is smaller than this beside what it is made of is a difference of large numbers, which rounds like those.

The bias before a batch norm has such a gradient: its terms cancel by mathematics, and nearby inputs leave that so.
"""


def require_rtol(rtol: float) -> None:
    """Raise UsageError for a relative error that nobody can mean to accept."""
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 <= rtol < TOO_LOOSE:
        raise UsageError(
            f"rtol must be a relative error from 0 to below {TOO_LOOSE:g}, got {quoted(rtol)}: such as rtol=1e-6"
        )


@dataclass(frozen=True)
class Judge:
    """Compares one backend's arrays with one witness's in one lane."""

    backend: str
    witness: str
    lane: Dtype
    truth: Trace
    budgets: Budgets
    """Absolute error budgets of the float32 lane."""
    rtol: float = 0.0
    """A smaller relative error agrees, whatever the limit is."""

    def rows(
        self,
        kind: Kind,
        arrays: Mapping[str, np.ndarray],
        names: Iterable[str],
        reads: Mapping[str, tuple[str, ...]] | None = None,
    ) -> list[Row]:
        """Compare the arrays of these names with the truth; a name that is missing disagrees.

        ``reads`` tells which named arrays a line was computed from: their size is the scale of a result that is
        zero by mathematics. Where that is not known, it is the largest named array.
        """
        truth = self.truth.values if kind == "value" else self.truth.gradients
        return [
            self._row(kind, name, arrays.get(name), truth, None if reads is None else reads.get(name, ()))
            for name in names
        ]

    def _row(
        self,
        kind: Kind,
        name: str,
        array: np.ndarray | None,
        truth: Mapping[str, np.ndarray],
        reads: Iterable[str] | None,
    ) -> Row:
        expected = truth[name]
        sizes = {source: norm(truth[source]) for source in (truth if reads is None else reads) if source in truth}
        source = max(sizes, key=sizes.__getitem__, default="")
        upstream = sizes.get(source, 0.0)
        error = float("inf") if array is None else relative_error(array, expected, upstream)
        size = norm(expected)
        limit = self._limit(kind, name, size, source, upstream)
        if reads is not None and self.lane == "float32" and ZERO * upstream < size <= NEARLY_ZERO * upstream:
            limit = max(limit, FACTOR * ULP * upstream / size)
        if kind != "value":
            limit += self._measured(name, (upstream if size <= ZERO * upstream else size) or 1.0)
            limit += sum(
                self._measured(source, norm(truth[source]) or 1.0) for source in reads or () if source in truth
            )
        limit = max(limit, self.rtol)
        misfit = _misfit(array, expected, self.lane)
        row = Row(name, kind, self.backend, self.witness, self.lane, error, limit, misfit)
        if row.agrees or array is None or array.shape != expected.shape:
            return row
        return replace(row, arrays=(array, expected))

    def _measured(self, name: str, size: float) -> float:
        """Return how far off a measured gradient may be, of its size: also where a line is fed it."""
        return self.truth.accuracy.get(name, 0.0) / size

    def _limit(self, kind: Kind, name: str, size: float, source: str, upstream: float) -> float:
        if self.lane == "float64":
            return FLOAT64_LIMIT
        # A derivation that is its own measure of rounding need not write every name that the witness has.
        budgets = self.budgets["value" if kind == "value" else "gradient"]
        if size <= ZERO * upstream:
            # Nothing but the rounding of what it is made of is left.
            return max(FACTOR * ULP, budgets.get(source, 0.0) / upstream) if upstream else FACTOR * ULP
        return budgets.get(name, 0.0) / size if size > 0.0 else 0.0


def _misfit(array: np.ndarray | None, expected: np.ndarray, lane: Dtype) -> str:
    """Say what is wrong with an array beyond its numbers; nothing where only the numbers count."""
    if array is None:
        return "never written"
    if array.shape != expected.shape:
        return f"shape {array.shape}, should be {expected.shape}"
    if not np.isfinite(array).all():
        return f"{np.count_nonzero(~np.isfinite(array))} of {array.size} entries are NaN or infinite"
    if expected.dtype.kind == "f" and array.dtype != lane:
        return f"dtype {array.dtype}, should be {lane}"
    return ""
