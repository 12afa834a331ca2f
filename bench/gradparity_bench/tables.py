"""The measurement as tables: for a terminal, and in Markdown for a README."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import rich.box
import rich.table

from gradparity_bench.measure import Row

COLUMNS = ("loop", "s / epoch", "against", "ratio", "quartiles", "target")


@dataclass(frozen=True)
class Table:
    """Rows under a title."""

    title: str
    rows: tuple[Row, ...]


def for_terminal(table: Table) -> rich.table.Table:
    """Return a table that fits a terminal of 80 columns, with the reasons of what is not timed below it."""
    drawn = rich.table.Table(*COLUMNS, title=table.title, caption="\n".join(_refusals(table)), box=rich.box.SIMPLE_HEAD)
    drawn.title_justify = drawn.caption_justify = "left"
    for row in table.rows:
        drawn.add_row(*_cells(row))
    return drawn


def markdown(table: Table) -> str:
    """Return the same in Markdown, with the title in bold."""
    cells = [COLUMNS, ("---",) * len(COLUMNS), *map(_cells, table.rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([f"**{table.title}**", "", *lines, *(f"\n{refusal}" for refusal in _refusals(table))])


def machine_line(machine: Mapping[str, str]) -> str:
    """Return in one line what the measurement ran on."""
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"≤ {row.target:.2f}"
    if row.ratio is None:
        return row.loop, "", row.baseline, "not timed", "", target
    median, low, high = row.ratio
    seconds = f"{np.median(row.seconds):.4f}"
    return row.loop, seconds, row.baseline, f"{median:.3f}", f"{low:.3f}–{high:.3f}", target


def _refusals(table: Table) -> list[str]:
    return [f"{row.loop} is not timed: {row.refusal}" for row in table.rows if row.refusal]
