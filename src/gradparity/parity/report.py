"""The result of a check: rows as data, and what they add up to."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from gradparity.protocol import Dtype

Kind = Literal["value", "gradient", "whole gradient"]
Sign = Literal["✓", "✗", "↳"]
"""Agrees, disagrees, or disagrees because another line of the same backend is wrong."""


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
    """The largest error that rounding explains: a relative bug below it does not show on these numbers."""
    note: str = ""
    """What is wrong with the array, where that is more than its numbers."""
    diagnosis: str = ""
    """Why a hand-derived line disagrees, in one sentence; empty for a line that agrees and for a machine's."""

    pinned: bool = False
    """Whether the array agrees once every entry is on the witness's side of its kink, where rounding put it across."""
    slope: float | None = None
    """Against differences: how the Taylor remainder falls with the step, with its square (2) if the gradient is right,
    with the step itself (1) if it is wrong; None where rounding hides it."""

    @property
    def agrees(self) -> bool:
        """Whether the error is within the limit, masks pinned, and nothing else is wrong with the array."""
        return (self.error <= self.limit or self.pinned) and not self.note

    @property
    def share(self) -> float:
        """The share of the limit used; infinite for an error where nothing is rounding."""
        if self.error == 0.0:
            return 0.0
        return self.error / self.limit if self.limit > 0.0 else float("inf")


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
    remarks: tuple[str, ...] = ()
    """What else to know: how the gradient was measured without autodiff, and numbers near a kink."""

    @property
    def agrees(self) -> bool:
        """Whether every row agrees."""
        return all(row.agrees for row in self.rows)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """The rows that do not agree."""
        return tuple(row for row in self.rows if not row.agrees)

    @cached_property
    def consequences(self) -> tuple[Row, ...]:
        """The rows of whole gradients that disagree where a line of the same backend is wrong by itself."""
        wrong = {row.backend for row in self.disagreements if row.kind != "whole gradient"}
        return tuple(row for row in self.disagreements if row.kind == "whole gradient" and row.backend in wrong)

    @property
    def findings(self) -> tuple[Row, ...]:
        """One row for each wrong line of each backend, in float64 where that shows it, without the consequences."""
        follow = set(self.consequences)
        first: dict[tuple[str, Kind, str], Row] = {}
        for row in sorted(self.disagreements, key=lambda row: row.lane != "float64"):
            if row not in follow:
                first.setdefault((row.backend, row.kind, row.line), row)
        return tuple(row for row in self.rows if row in first.values())

    @property
    def smallest_visible_bugs(self) -> dict[tuple[Kind, str], float]:
        """Kind and line -> the smallest relative bug that float32 shows on these numbers, against every witness.

        It is the limit of the row, the largest over the witnesses: a bug of that size is as large as what rounding
        explains. Empty without a float32 lane.
        """
        found: dict[tuple[Kind, str], float] = {}
        for row in self.rows:
            if row.lane == "float32":
                found[row.kind, row.line] = max(row.limit, found.get((row.kind, row.line), 0.0))
        return found

    def sign(self, rows: Iterable[Row]) -> Sign:
        """Say what some of the rows come to together."""
        wrong = {row for row in rows if not row.agrees}
        if not wrong:
            return "✓"
        return "↳" if wrong <= set(self.consequences) else "✗"

    def agrees_for(self, backend: str) -> bool:
        """Whether every row of one backend agrees."""
        return all(row.agrees for row in self.rows if row.backend == backend)

    def assert_ok(self) -> None:
        """Raise AssertionError with a line for each disagreement."""
        if not self.agrees:
            raise AssertionError("\n".join(["gradients disagree:", *map(describe, self.findings)]))

    def __rich__(self) -> Any:
        """Return the table, the findings and the verdict, as ``rich.print`` shows them."""
        from gradparity.report.cli.tables import report_shown

        return report_shown(self)

    def to_html(self) -> str:
        """Return one HTML page of the report, which needs no network and no script."""
        from gradparity.report.page import check_page

        return check_page(self)

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
            "remarks": list(self.remarks),
            "smallest_visible_bugs": [
                {"kind": kind, "line": line, "relative_size": size}
                for (kind, line), size in self.smallest_visible_bugs.items()
            ],
            "rows": rows,
        }


def describe(row: Row) -> str:
    """Say in one line what a row found."""
    symbol = "c" if row.kind == "value" else "d"
    line = f"{symbol}['{row.line}']" + (" (whole gradient)" if row.kind == "whole gradient" else "")
    where = f"{row.backend} against {row.witness} in {row.lane}"
    found = row.note or f"relative error {row.error:.1e}, at most {row.limit:.1e} is rounding"
    return f"{row.diagnosis} ({where}: {found})" if row.diagnosis else f"{line} of {where}: {found}"
