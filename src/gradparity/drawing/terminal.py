"""A table in a terminal, however narrow: columns that do not fit go on below."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import rich.table
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from gradparity.drawing.table import Entry, Listing, Sign, Table, TableCell, TableColumn
from gradparity.drawing.words import visible

STYLES: dict[Sign, str] = {"": "", "✓": "", "✗": "bold red", "↳": "yellow", "–": "dim"}
WIDEST = 10_000
"""Columns of a terminal in which everything fits."""

console = Console(highlight=False)


@dataclass(frozen=True)
class Shown:
    """A table as rich prints it: its title, its rows, and the sentences below."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield what is printed one below the other."""
        table = self.table
        if table.title:
            yield said(table.title)
        for listing in table.listings:
            yield from _listed(listing)
        if table.rows:
            yield from _blocks(table, console, options)
        for remark in (table.caption, *table.remarks):
            if remark:
                yield said(remark, "dim")
        for finding in table.findings:
            yield Text.assemble(("✗", STYLES["✗"]), " ", said(finding))
        if table.headline:
            yield said(table.headline)


def said(text: str, style: str = "") -> Text:
    """Return words as they are: what looks like markup or steers a terminal is shown and has no effect."""
    return Text(visible(text), style=style)


def progress(counted: bool = False, beside_output: bool = False) -> Progress:
    """Return a progress display on standard error: on a terminal only, and gone when it ends.

    Where a command prints line by line as it goes, ``beside_output``, it stands below them on standard output.
    """
    screen = Console(stderr=not beside_output)
    doing = TextColumn("{task.description}", markup=False)
    shown = (doing, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *(shown if counted else (SpinnerColumn(), doing, TimeElapsedColumn())),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )


@contextmanager
def telling(first: str = "starting") -> Iterator[Callable[[str], None]]:
    """Show what is going on, and for how long; give what is told of each next thing."""
    with progress() as display:
        task = display.add_task(first, total=None)
        yield lambda now: display.update(task, description=now)


def _listed(listing: Listing) -> Iterator[RenderableType]:
    """Draw source with its margin: a line of it is one line, however long."""
    digits = len(str(listing.lines[-1].number)) if listing.lines else 0
    indents = [len(line.text) - len(line.text.lstrip()) for line in listing.lines if line.text.strip()]
    yield said(f"\n{listing.title}", "bold")
    for line in listing.lines:
        style = STYLES[line.sign] or ("green" if line.sign else "")
        code = line.text[min(indents, default=0) :]
        about = said(f"   {line.about}" if line.about else "", "dim")
        margin = Text.assemble((f"{line.sign or ' '} ", style), (f"{line.number:>{digits}}  ", "dim"))
        drawn = Text.assemble(margin, said(code, style if line.sign == "✗" else ""), about)
        drawn.no_wrap, drawn.overflow = True, "ellipsis"
        yield drawn
        if line.finding:
            yield Padding(said(f"↑ {line.finding}", STYLES["✗"]), (0, 0, 0, digits + 4))
        for sentence in line.below:
            yield Padding(said(sentence, "dim"), (0, 0, 0, digits + 8))


def _blocks(table: Table, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
    """Draw as many columns of numbers beside each other as fit, each time behind the columns of words before them.

    Where not even those before them fit, every row is drawn as a paragraph.
    """
    shown = [i for i, column in enumerate(table.columns) if not column.detail]
    rest = [i for i in shown if table.columns[i].kind == "number"]
    heads = shown[: shown.index(rest[0])] if rest else shown
    rest = [i for i in shown if i not in heads]
    wide = options.update_width(WIDEST)

    def fits(columns: list[int]) -> bool:
        return console.measure(_drawn(table.only(columns)), options=wide).minimum <= options.max_width

    if not fits(heads):
        yield from _paragraphs(table)
        return
    block = list(heads)
    for i in rest:
        if len(block) > len(heads) and not fits([*block, i]):
            yield _drawn(table.only(block))
            block = list(heads)
        block.append(i)
    yield _drawn(table.only(block))


def _paragraphs(table: Table) -> Iterator[RenderableType]:
    shown = [i for i, column in enumerate(table.columns) if not column.detail]
    named = next((i for i in shown if table.columns[i].kind == "code"), shown[0])
    for row in table.rows:
        cells = {i: _cell(row.cells[i], _widths(table, i, table.columns[i])) for i in shown}
        yield Text.assemble("\n", cells.pop(named), style="bold")
        for i, cell in cells.items():
            if cell.plain:
                title = f"{table.columns[i].title}: " if table.columns[i].title else ""
                yield Padding(Text.assemble(title, cell), (0, 0, 0, 2))


def _drawn(table: Table) -> rich.table.Table:
    drawn = rich.table.Table(box=SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(table.columns):
        number = column.kind == "number"
        drawn.add_column(
            said(column.title.replace("-", "-\n") if number else column.title),
            justify="right" if number else "left",
            no_wrap=column.kind != "word",
            min_width=_narrowest(table, i),
        )
    widths = [_widths(table, i, column) for i, column in enumerate(table.columns)]
    for group in table.groups:
        drawn.add_section()
        for row in group.rows:
            drawn.add_row(*map(_cell, row.cells, widths))
    return drawn


def _narrowest(table: Table, i: int) -> int:
    """Return how narrow a column may become: the longest word where words can go on in the next line."""
    column = table.columns[i]
    lines = [line for row in table.rows for line in _cell(row.cells[i], _widths(table, i, column)).plain.splitlines()]
    pieces = [word for line in lines for word in line.split()] if column.kind == "word" else lines
    return max(map(cell_len, pieces), default=1)


def _widths(table: Table, i: int, column: TableColumn) -> list[int]:
    """Return how many letters the longest entry of each of a column's parts has."""
    cells = [row.cells[i] for row in table.rows]
    whole = [cell for cell in cells if len(cell.entries) == len(column.parts) > 1]
    return [max(len(short(cell.entries[part])) for cell in whole) for part in range(len(column.parts)) if whole]


def _cell(cell: TableCell, widths: list[int]) -> Text:
    entries = [short(entry) for entry in cell.entries]
    if len(entries) > 1:
        entries = [entry.rjust(width) for entry, width in zip(entries, widths, strict=True)]
    sign = f"{cell.sign} " if cell.sign not in ("", "✓") else ""
    return said(sign + " ".join(entries), STYLES[cell.sign])


def short(entry: Entry) -> str:
    """Write an entry where there is little room."""
    return entry if isinstance(entry, str) else entry.short
