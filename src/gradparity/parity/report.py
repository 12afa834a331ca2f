"""The result of a check: rows as data, and what they add up to."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gradparity.protocol import Dtype

Kind = Literal["value", "gradient", "whole gradient"]


@dataclass(frozen=True)
class Row:
    """One comparison: one named line of one backend against one witness."""

    line: str
    kind: Kind
    """"value" and "gradient": the line alone, fed the witness's numbers; "whole gradient": the backend's own chain."""
    backend: str
    witness: str
    lane: Dtype
    error: float
    """Norm-wise relative error ‖a − b‖₂ / ‖b‖₂; infinite for NaN, a wrong shape or a line never written."""
    limit: float
    """The largest error that rounding explains."""
    note: str = ""
    """What is wrong with the array, where that is more than its numbers."""

    @property
    def agrees(self) -> bool:
        """Whether the error is within the limit, and nothing else is wrong with the array."""
        return self.error <= self.limit and not self.note


@dataclass(frozen=True)
class Report:
    """Every row of a check."""

    model: str
    n: int
    """Examples in the batch."""
    seed: int
    backends: tuple[str, ...]
    witnesses: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def agrees(self) -> bool:
        """Whether every row agrees."""
        return all(row.agrees for row in self.rows)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """The rows that do not agree."""
        return tuple(row for row in self.rows if not row.agrees)

    def agrees_for(self, backend: str) -> bool:
        """Whether every row of one backend agrees."""
        return all(row.agrees for row in self.rows if row.backend == backend)

    def assert_ok(self) -> None:
        """Raise AssertionError with a line for each disagreement."""
        if not self.agrees:
            raise AssertionError("\n".join(["gradients disagree:", *map(describe, self.disagreements)]))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON; an infinite error is None there."""
        rows = [
            {**asdict(row), "error": row.error if row.error < float("inf") else None, "agrees": row.agrees}
            for row in self.rows
        ]
        return {
            "model": self.model,
            "n": self.n,
            "seed": self.seed,
            "backends": list(self.backends),
            "witnesses": list(self.witnesses),
            "agrees": self.agrees,
            "rows": rows,
        }


def describe(row: Row) -> str:
    """Say in one line what a row found."""
    symbol = "c" if row.kind == "value" else "d"
    where = f"{symbol}['{row.line}']" + (" (whole gradient)" if row.kind == "whole gradient" else "")
    found = row.note or f"relative error {row.error:.1e}, at most {row.limit:.1e} is rounding"
    return f"{where} of {row.backend} against {row.witness} in {row.lane}: {found}"
