"""A table as plain data: columns, groups of rows, what each row comes to, and the sentences around them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Literal, TypeAlias

from gradparity.drawing import words

Sign: TypeAlias = Literal["", "✓", "✗", "↳", "–"]
"""Claims nothing; agrees; disagrees; disagrees because something else is wrong; was not checked."""
ColumnKind: TypeAlias = Literal["number", "word", "code"]
"""Numbers stand right, and keep in one line as code does; words stand left, and go on in the next line."""


@dataclass(frozen=True)
class TableNumber:
    """A number that every drawing writes as it has room."""

    value: float
    unit: Literal["error", "share"]
    """A relative error, or a share of what is allowed."""

    @property
    def short(self) -> str:
        """As it stands below others in few letters: 4e-12, 37%."""
        if self.unit == "error":
            return f"{self.value:.0e}" if self.value else "0"
        return f"{self.value:4.0%}" if self.value < 10 else ">999%"

    @property
    def long(self) -> str:
        """As it is set in print: 4.2×10⁻¹², 37%."""
        return words.scientific(self.value) if self.unit == "error" else words.percent(self.value)


Entry: TypeAlias = str | TableNumber


@dataclass(frozen=True)
class TableColumn:
    """A column, or a few that stand under one title."""

    title: str
    kind: ColumnKind = "number"
    parts: tuple[str, ...] = ()
    """The titles of the entries of its cells, where a cell has several."""
    detail: bool = False
    """Left out where there is little room, as in a terminal."""


@dataclass(frozen=True)
class TableCell:
    """What stands in a column: an entry for each of its parts, or one in place of all."""

    entries: tuple[Entry, ...]
    sign: Sign = ""
    reason: str = ""
    """Why it was not checked, where it was not."""


@dataclass(frozen=True)
class TableRow:
    """A cell for each column."""

    cells: tuple[TableCell, ...]
    sign: Sign = ""


@dataclass(frozen=True)
class TableGroup:
    """Rows that belong together, set apart from the others."""

    rows: tuple[TableRow, ...]
    title: str = ""


@dataclass(frozen=True)
class ListedLine:
    """A line of somebody's source, with a sign in the margin."""

    number: int
    text: str
    sign: Sign = ""
    about: str = ""
    """What stands beside it, in a few words."""
    finding: str = ""
    """What is wrong with it, in a sentence below."""
    below: tuple[str, ...] = ()
    """What else is to be read at it, a line each."""
    pictures: tuple[tuple[str, str], ...] = ()
    """What its numbers look like, on a page: a caption and a data: address of an image each."""


@dataclass(frozen=True)
class Listing:
    """The part of a file that a table is about."""

    title: str
    lines: tuple[ListedLine, ...]


@dataclass(frozen=True)
class Table:
    """Groups of rows under a title, and what to read around them."""

    title: str
    columns: tuple[TableColumn, ...]
    groups: tuple[TableGroup, ...]
    caption: str = ""
    """What stands in a cell, in one sentence."""
    legend: tuple[str, ...] = ()
    """The same at length, a paragraph each, where there is room: how to read the table, then what its signs mean."""
    remarks: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """What is wrong, a sentence each."""
    headline: str = ""
    """What all of it comes to, in one sentence."""
    agrees: bool | None = None
    """Whether that is good news; None for a table that claims nothing."""
    listings: tuple[Listing, ...] = ()
    """The source that it is about, where there is one: shown above."""

    @property
    def rows(self) -> tuple[TableRow, ...]:
        """The rows of all groups."""
        return tuple(row for group in self.groups for row in group.rows)

    def only(self, indices: Sequence[int]) -> "Table":
        """Return the table with these of its columns."""
        groups = (
            replace(g, rows=tuple(replace(r, cells=tuple(r.cells[i] for i in indices)) for r in g.rows))
            for g in self.groups
        )
        return replace(self, columns=tuple(self.columns[i] for i in indices), groups=tuple(groups))


def table_of(
    title: str,
    columns: Iterable[str | TableColumn],
    groups: Iterable[Iterable[Iterable[str | TableCell]]],
    *,
    caption: str = "",
    remarks: Iterable[str] = (),
) -> Table:
    """Make an ordinary table of texts: groups of rows of cells.

    A column that is only named holds names that stand left where it is the first, and numbers where it is not.
    """
    kinds: Iterator[ColumnKind] = chain(["code"], repeat("number"))
    made = (c if isinstance(c, TableColumn) else TableColumn(c, kind) for c, kind in zip(columns, kinds, strict=False))
    filled = (
        TableGroup(
            tuple(TableRow(tuple(c if isinstance(c, TableCell) else TableCell((c,)) for c in row)) for row in rows)
        )
        for rows in groups
    )
    return Table(title, tuple(made), tuple(filled), caption=caption, remarks=tuple(remarks))
