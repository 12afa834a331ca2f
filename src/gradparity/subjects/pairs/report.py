"""The result of checking a function and its backward rule: rows as data, and what they add up to."""

from dataclasses import asdict, dataclass
from typing import Any

from gradparity.parity.report import Row, describe


@dataclass(frozen=True)
class PairReport:
    """Every comparison of one backward rule."""

    function: str
    rows: tuple[Row, ...]
    """``line`` is an argument's name (kind "gradient") or an output's ("value"); ``backend`` says what was compared."""
    notes: tuple[str, ...]
    """What was not compared, and why."""

    @property
    def agrees(self) -> bool:
        """Whether every row agrees."""
        return not self.disagreements

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """The rows that do not agree."""
        return tuple(row for row in self.rows if not row.agrees)

    def assert_ok(self) -> None:
        """Raise AssertionError with a line for each disagreement, and the notes after them."""
        if not self.agrees:
            lines = [*map(describe, self.disagreements), *(f"note: {note}" for note in self.notes)]
            raise AssertionError("\n".join([f"the backward rule of {self.function} disagrees:", *lines]))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON; an infinite error is None there."""
        rows = [
            {**asdict(row), "error": row.error if row.error < float("inf") else None, "agrees": row.agrees}
            for row in self.rows
        ]
        return {"function": self.function, "agrees": self.agrees, "notes": list(self.notes), "rows": rows}
