"""The parity table: a row per named line, and in it each backend against its worst witness."""

from collections.abc import Sequence
from typing import NamedTuple

from gradparity.parity import Report, Row
from gradparity.parity.report import Kind, Sign
from gradparity.report.page.words import listing, percent, scientific

TITLES: dict[Kind, str] = {
    "value": "Values, in forward order",
    "gradient": "Gradients, in backward order: each line alone, fed the witness's numbers",
    "whole gradient": "Whole gradients: the backend's own chain from the loss to the parameter",
}


class Cell(NamedTuple):
    """One backend on one line."""

    error: str
    """Relative error in float64."""
    used: str
    """Share of the float32 error budget."""
    sign: Sign


class TableRow(NamedTuple):
    """One line, with a cell for each backend; None where the backend has nothing to be compared with."""

    line: str
    cells: tuple[Cell | None, ...]
    visible: str
    """The smallest relative bug that float32 shows; empty without a float32 lane."""
    verdict: str
    sign: Sign


class Group(NamedTuple):
    """The rows of one kind."""

    title: str
    rows: tuple[TableRow, ...]


def parity_table(report: Report) -> list[Group]:
    """Arrange a report: values in forward order, then gradients backwards, then the whole gradients."""
    visible = {(kind, line): scientific(size) for (kind, line), size in report.smallest_visible_bugs.items()}
    groups = []
    for kind, title in TITLES.items():
        rows = [row for row in report.rows if row.kind == kind]
        names = list(dict.fromkeys(row.line for row in rows))
        if kind == "gradient":
            names.reverse()
        if names:
            groups.append(Group(title, tuple(_table_row(n, rows, report, visible.get((kind, n), "")) for n in names)))
    return groups


def _table_row(line: str, rows: Sequence[Row], report: Report, visible: str) -> TableRow:
    found = {b: [r for r in rows if (r.line, r.backend) == (line, b)] for b in report.backends}
    signs = {b: report.sign(own) for b, own in found.items()}
    wrong = [b for b, sign in signs.items() if sign == "✗"]
    follow = [b for b, sign in signs.items() if sign == "↳"]
    said = [f"{listing(names)} {word}" for names, word in ((wrong, "wrong"), (follow, "follows")) if names]
    sign: Sign = "✗" if wrong else "↳" if follow else "✓"
    cells = tuple(_cell(own, signs[b]) for b, own in found.items())
    return TableRow(line, cells, visible, ", ".join(said) or "agree", sign)


def _cell(rows: Sequence[Row], sign: Sign) -> Cell | None:
    if not rows:
        return None
    errors = [r.error for r in rows if r.lane == "float64"]
    shares = [r.share for r in rows if r.lane == "float32"]
    return Cell(
        scientific(max(errors)) if errors else "–",
        percent(max(shares)) if shares else "–",
        sign,
    )
