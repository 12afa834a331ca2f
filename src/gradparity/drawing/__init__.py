"""What people see: one table model, and its drawing in a terminal, on a page, as text and in Markdown.

    >>> from gradparity.drawing import Table, table_of, terminal, text
    >>> pets = table_of("pets", ("animal", "legs"), [[("cat", "4"), ("hen", "2")]])
    >>> print(text.text(pets))
    >>> terminal.console.print(terminal.Shown(pets))

A table says what stands where and what it comes to; how wide a terminal is and what a browser needs, only the drawings
know. Importing this package imports none of them, and so neither rich nor jinja2 nor matplotlib.
"""

from gradparity.drawing.table import (
    Entry,
    ListedLine,
    Listing,
    Sign,
    Table,
    TableCell,
    TableColumn,
    TableGroup,
    TableNumber,
    TableRow,
    table_of,
)

__all__ = [
    "Entry",
    "ListedLine",
    "Listing",
    "Sign",
    "Table",
    "TableCell",
    "TableColumn",
    "TableGroup",
    "TableNumber",
    "TableRow",
    "table_of",
]
