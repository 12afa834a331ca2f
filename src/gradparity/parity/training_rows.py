"""How far each backend's training is from the truth, as data and as the one table that shows it everywhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from gradparity.drawing import Sign, Table, TableCell, TableColumn, TableGroup, TableNumber, TableRow
from gradparity.drawing.words import listing
from gradparity.output import plain
from gradparity.parity.drift import ratio
from gradparity.protocol import Dtype


@dataclass(frozen=True)
class TrainingRow:
    """How far one backend is from the truth after so many steps: its worst parameter."""

    backend: str
    lane: Dtype
    step: int
    """The number of steps taken."""
    parameter: str
    """The one that uses the largest share of its budget."""
    distance: float
    """‖p − p*‖₂ / ‖p*‖₂; infinite for NaN; on the scale of all parameters where p* is zero by mathematics."""
    budget: float
    """The largest distance that rounding explains: a mistake that moves p by less does not show here."""

    @property
    def agrees(self) -> bool:
        """Whether the distance is finite and within the budget."""
        return isfinite(self.distance) and self.distance <= self.budget

    @property
    def share(self) -> float:
        """The share of the budget used."""
        return float(ratio(np.array(self.distance), np.array(self.budget)))


@dataclass(frozen=True, repr=False)
class TrainingParity:
    """The verdicts, and every step's distance from the truth. What draws a Report draws this as well."""

    model: str
    truth: str
    """The backend whose float64 run is the truth."""
    backends: tuple[str, ...]
    """Those that were trained."""
    untrained: Mapping[str, str]
    """Backend -> why it cannot train this model."""
    steps: int
    optimizer: str
    lr: float
    seed: int
    rows: tuple[TrainingRow, ...]
    distances: Mapping[Dtype, Mapping[str, tuple[float, ...]]]
    """Lane -> backend -> ‖p − p*‖₂ / ‖p*‖₂ over all parameters together, after each step."""
    budgets: Mapping[Dtype, tuple[float, ...]]
    """Lane -> how much of that rounding explains."""

    @property
    def agrees(self) -> bool:
        """Whether every row agrees."""
        return not self.disagreements

    @property
    def disagreements(self) -> tuple[TrainingRow, ...]:
        """The rows that do not agree."""
        return tuple(row for row in self.rows if not row.agrees)

    @property
    def findings(self) -> tuple[TrainingRow, ...]:
        """The first disagreement of each backend, in float64 where that shows it."""
        first: dict[str, TrainingRow] = {}
        for row in sorted(self.disagreements, key=lambda row: row.lane != "float64"):
            first.setdefault(row.backend, row)
        return tuple(first.values())

    def agrees_for(self, backend: str) -> bool:
        """Whether every row of one backend agrees."""
        return all(row.agrees for row in self.rows if row.backend == backend)

    def assert_ok(self) -> None:
        """Raise AssertionError with a line for each backend that disagrees."""
        if not self.agrees:
            lines = [describe_drift(row, self.truth) for row in self.findings]
            raise AssertionError("\n".join(["training runs apart:", *lines]))

    @cached_property
    def table(self) -> Table:
        """What every drawing shows: a row for each lane and moment, a column for each backend."""
        moments = dict.fromkeys((row.lane, row.step) for row in self.rows)
        parts = ("distance", "of budget")
        return Table(
            f"the same {self.steps} steps from the same weights: {self.optimizer}, lr {self.lr:g}",
            (
                TableColumn("lane", "word"),
                TableColumn("steps", "word"),
                *(TableColumn(backend, parts=parts) for backend in self.backends),
                TableColumn("worst parameter", "word", detail=True),
                TableColumn("verdict", "word", detail=True),
            ),
            (TableGroup(tuple(self._table_row(lane, step) for lane, step in moments)),),
            caption=(
                f"each cell: relative distance of the worst parameter from {self.truth}'s float64 run, and how much of "
                "the distance that rounding explains it is"
            ),
            legend=(
                f"Every backend takes the same {self.steps} steps ({self.optimizer}, learning rate {self.lr:g}) from "
                f"the same weights on the same batches. The truth is {self.truth}'s run in float64. Rounding drives "
                "right backends apart as well, and the dotted line is how far: it is measured by runs that start a few "
                "units in the last place beside. In the table, distance is that of the parameter that uses the largest "
                "share of its budget, and budget is the distance that rounding explains.",
            ),
            remarks=tuple(f"{name} is not trained: {reason}" for name, reason in self.untrained.items()),
            findings=tuple(describe_drift(row, self.truth) for row in self.findings),
            headline=self._headline,
            agrees=self.agrees,
        )

    def _table_row(self, lane: Dtype, step: int) -> TableRow:
        found = {row.backend: row for row in self.rows if (row.lane, row.step) == (lane, step)}
        wrong = [name for name, row in found.items() if not row.agrees]
        cells = (_cell(found[name]) if name in found else TableCell(("truth",)) for name in self.backends)
        worst = max(found.values(), key=lambda row: row.share).parameter
        sign = _sign(not wrong)
        verdict = TableCell((f"{listing(wrong)} wrong" if wrong else "✓ agree",), sign)
        given = (TableCell((lane,)), TableCell((str(step),)))
        return TableRow((*given, *cells, TableCell((worst,)), verdict), sign)

    @property
    def _headline(self) -> str:
        wrong = list(dict.fromkeys(row.backend for row in self.disagreements))
        if wrong:
            return f"Training of {', '.join(wrong)} runs apart from {self.truth}'s within {self.steps} steps."
        largest = max((row.share for row in self.rows), default=0.0)
        return f"Training runs together for {self.steps} steps: at most {largest:.0%} of what rounding explains."

    def __repr__(self) -> str:
        return f"<TrainingParity of {self.model}: {self._headline}>"

    def __str__(self) -> str:
        from gradparity.drawing.text import text

        return text(self.table)

    def __rich__(self) -> Any:
        """Return the table and the sentences below it, as ``rich.print`` shows them."""
        from gradparity.drawing.terminal import Shown

        return Shown(self.table)

    def _repr_html_(self) -> str:
        from gradparity.drawing.page import fragment

        return fragment(self.table)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON; an infinite number is None there."""
        rows = [{**asdict(row), "agrees": row.agrees} for row in self.rows]
        data: dict[str, Any] = plain({**asdict(self), "agrees": self.agrees, "rows": rows})
        return data


def _sign(agrees: bool) -> Sign:
    return "✓" if agrees else "✗"


def _cell(row: TrainingRow) -> TableCell:
    return TableCell((TableNumber(row.distance, "error"), TableNumber(row.share, "share")), _sign(row.agrees))


def describe_drift(row: TrainingRow, truth: str) -> str:
    """Say in one line what a row found."""
    where = f"{row.parameter} of {row.backend} in {row.lane} after {row.step} {'step' if row.step == 1 else 'steps'}"
    if not isfinite(row.distance):
        return f"{where}: NaN or infinite"
    return f"{where}: {row.distance:.1e} from {truth}'s float64 run, at most {row.budget:.1e} is rounding"
