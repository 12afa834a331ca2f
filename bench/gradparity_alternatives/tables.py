"""The measurement as tables: for a terminal, and in Markdown for a README."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import rich.box
import rich.table

from gradparity_alternatives.measure import Ratio, Row
from gradparity_alternatives.parity import EPOCHS
from gradparity_alternatives.task import Task
from gradparity_bench.places import spoken

COLUMNS = ("contestant", "loss", "first s", "ms", "ratio", "quartiles", "to numpy")
CAPTION = (
    f"loss: after {EPOCHS} epochs, over all training examples; first s: the first epoch with its compilation, import "
    "not counted; ms: one epoch, the median; ratio: to gradparity's own backend on the same library, the first of its "
    "group, paired round by round, median and quartiles"
)


@dataclass(frozen=True)
class Table:
    """The rows of one task."""

    task: Task
    threads: int
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What was trained, and with how many threads."""
        t, threads = self.task, spoken("threads", self.threads)
        return f"{t.model} on {t.data}: batch {t.batch_size}, lr {t.lr:g}, SGD, float32, {threads}"

    @property
    def refusals(self) -> list[str]:
        """Why a contestant is not timed, a sentence each."""
        return [f"{row.contestant} is not timed: {row.refusal}" for row in self.rows if row.refusal]


def for_terminal(table: Table) -> rich.table.Table:
    """Return a table that fits a terminal of 80 columns, a section for each library."""
    drawn = rich.table.Table(title=table.title, caption=CAPTION, box=rich.box.SIMPLE_HEAD, pad_edge=False)
    drawn.title_justify = drawn.caption_justify = "left"
    for column in COLUMNS:
        drawn.add_column(column, justify="left" if column == "contestant" else "right", no_wrap=True)
    for _, rows in groupby(table.rows, key=lambda row: row.library):
        drawn.add_section()
        for row in rows:
            drawn.add_row(*cells(row))
    return drawn


def markdown(table: Table) -> str:
    """Return the same in Markdown, with the title in bold and what the columns mean below."""
    lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, ("---",) * len(COLUMNS), *map(cells, table.rows))]
    return "\n".join([f"**{table.title}**", "", *lines, "", CAPTION, *(f"\n{refusal}" for refusal in table.refusals)])


def cells(row: Row) -> tuple[str, ...]:
    """Return what stands in each column."""
    loss = "" if row.loss is None else f"{row.loss:.4f}"
    first = "" if row.start is None else f"{row.start.first_epoch:.2f}"
    if not row.seconds:
        return row.contestant, loss, first, "not timed", "", "", ""
    epoch = f"{1e3 * np.median(row.seconds):.3g}"
    return row.contestant, loss, first, epoch, _median(row.to_own), _quartiles(row.to_own), _median(row.to_numpy)


def _median(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{ratio[0]:.3g}×"


def _quartiles(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{ratio[1]:.3g}–{ratio[2]:.3g}"
