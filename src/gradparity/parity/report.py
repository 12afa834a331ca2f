"""The result of a check: rows as data, and what they add up to."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NotRequired, TypedDict

from gradparity.drawing import Listing, Table
from gradparity.drawing.words import listing
from gradparity.parity import rows as together
from gradparity.parity.report_table import report_table
from gradparity.parity.rows import Kind, Row, RowFile, Unchecked, UncheckedFile, describe, told

__all__ = ["Kind", "Report", "Row", "describe"]


class VisibleBug(TypedDict):
    """The smallest relative bug that float32 shows in a line."""

    kind: Kind
    line: str
    relative_size: float


class ReportFile(TypedDict):
    """What ``gradparity check --json`` writes."""

    format: Literal["gradparity-check/1"]
    model: str
    n: int
    seed: int
    backends: list[str]
    witnesses: list[str]
    agrees: bool
    remarks: list[str]
    unchecked: list[UncheckedFile]
    smallest_visible_bugs: list[VisibleBug]
    rows: list[RowFile]
    listings: list[Any]
    """Source lines of plain code, with what each came to."""
    training: NotRequired[dict[str, Any]]
    """What ``--steps`` found."""


def _without_pictures(listing: dict[str, Any]) -> dict[str, Any]:
    for line in listing["lines"]:
        del line["pictures"]
    return listing


@dataclass(frozen=True, repr=False)
class Report:
    """Every row of a check. ``print``, ``rich.print``, Jupyter and ``to_html`` show the same table of them."""

    model: str
    n: int
    """Examples in the batch; 0 where there is none."""
    seed: int
    backends: tuple[str, ...]
    witnesses: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()
    """What else to know: how the gradient was measured without autodiff, and numbers near a kink."""
    unchecked: tuple[Unchecked, ...] = ()
    """What was asked for and not compared: with it, a report does not agree."""
    listings: tuple[Listing, ...] = ()
    """The source that was checked, with what each line came to, where it is not written for this."""

    @property
    def agrees(self) -> bool:
        """Whether everything that was asked for was compared, and agrees: silence is never agreement."""
        return bool(self.rows) and not self.unchecked and all(row.agrees for row in self.rows)

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """The rows that do not agree."""
        return together.disagreements(self.rows)

    @property
    def consequences(self) -> tuple[Row, ...]:
        """The rows of whole gradients that disagree where a line of the same backend is wrong by itself."""
        return together.consequences(self.rows)

    @property
    def findings(self) -> tuple[Row, ...]:
        """One row for each wrong line of each backend, in float64 where that shows it, without the consequences."""
        return together.findings(self.rows)

    @property
    def smallest_visible_bugs(self) -> dict[tuple[Kind, str], float]:
        """Kind and line -> the smallest relative bug that float32 shows on these numbers, against every witness."""
        return together.smallest_visible_bugs(self.rows)

    def agrees_for(self, backend: str) -> bool:
        """Whether every row of one backend agrees."""
        own = [row for row in self.rows if row.backend == backend]
        return all(row.agrees for row in own) and not any(each.backend == backend for each in self.unchecked)

    def assert_ok(self) -> None:
        """Raise AssertionError with a line for each disagreement, and for what was not checked."""
        if not self.agrees:
            what = "gradients disagree:" if self.disagreements else "gradients are not checked:"
            nothing = [] if self.rows or self.unchecked else ["nothing was compared"]
            lines = [*told(self.findings), *map(str, self.unchecked), *nothing]
            raise AssertionError("\n".join([what, *lines]))

    @cached_property
    def table(self) -> Table:
        """What every drawing of the report shows."""
        examples = f"{self.n} examples, " if self.n else ""
        title = f"{self.model}: {examples}seed {self.seed}; witnesses: {', '.join(self.witnesses)}"
        return report_table(
            title, self.rows, self.backends, self.witnesses, self.remarks, self.unchecked, self.listings
        )

    @property
    def facts(self) -> dict[str, str]:
        """What was checked, as name -> value."""
        examples = {"examples": str(self.n)} if self.n else {}
        return {**examples, "seed": str(self.seed), "witnesses": listing(self.witnesses)}

    @property
    def summary(self) -> str:
        """What was compared with what, in one sentence; nothing where nothing was."""
        examples = f", on {self.n} examples" if self.n else ""
        return (
            f"{listing(self.backends)}: every named line of the model, its value and its gradient, "
            f"against {listing(self.witnesses)}{examples}."
            if self.rows
            else ""
        )

    def __repr__(self) -> str:
        return f"<Report on {self.model}: {self.table.headline}>"

    def __str__(self) -> str:
        from gradparity.drawing.text import text

        return text(self.table)

    def __rich__(self) -> Any:
        """Return the table, the findings and the headline, as ``rich.print`` shows them."""
        from gradparity.drawing.terminal import Shown

        return Shown(self.table)

    def _repr_html_(self) -> str:
        from gradparity.drawing.page import fragment

        return fragment(self.table)

    def to_html(self) -> str:
        """Return one HTML page of the report, which needs no network and no script."""
        from gradparity.drawing.page import Section, page

        parts = [Section("parity", "Line by line", self.table)]
        return page("check", self.model, parts, facts={"Check": self.facts}, summary=self.summary)

    def to_dict(self) -> ReportFile:
        """Return the report as plain data, for JSON; an infinite error is None there."""
        return {
            "format": "gradparity-check/1",
            "model": self.model,
            "n": self.n,
            "seed": self.seed,
            "backends": list(self.backends),
            "witnesses": list(self.witnesses),
            "agrees": self.agrees,
            "remarks": list(self.remarks),
            "unchecked": [each.to_dict() for each in self.unchecked],
            "smallest_visible_bugs": [
                {"kind": kind, "line": line, "relative_size": size}
                for (kind, line), size in self.smallest_visible_bugs.items()
            ],
            "rows": [row.to_dict() for row in self.rows],
            "listings": [_without_pictures(asdict(each)) for each in self.listings],
        }
