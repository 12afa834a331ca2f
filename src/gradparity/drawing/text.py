"""A table as plain text, for ``print``, and in Markdown, for a README."""

import io

from rich.console import Console

from gradparity.drawing.table import Table, TableCell
from gradparity.drawing.terminal import Shown, short
from gradparity.drawing.words import visible


def text(table: Table, width: int | None = None) -> str:
    """Return what a terminal of this width shows, without colours; of its own width where none is given."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False, force_jupyter=False)
    console.print(Shown(table))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def markdown(table: Table) -> str:
    """Return a table in Markdown, with the title in bold and each sentence below as a paragraph."""
    shown = [i for i, column in enumerate(table.columns) if not column.detail]
    table = table.only(shown)
    rows = [
        [column.title.replace("|", "\\|") for column in table.columns],
        ["---:" if column.kind == "number" else "---" for column in table.columns],
        *(list(map(_cell, row.cells)) for row in table.rows),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    said = (table.caption, *table.remarks, *(f"✗ {finding}" for finding in table.findings), table.headline)
    return visible("\n\n".join(filter(None, [f"**{table.title}**", "\n".join(lines), *said])))


def _cell(cell: TableCell) -> str:
    sign = cell.sign if cell.sign != "✓" else ""
    written = " ".join(filter(None, [sign, *map(short, cell.entries)]))
    return written.replace("|", "\\|").replace("\n", " ")
