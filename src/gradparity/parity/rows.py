"""Comparisons as data, one named line of one backend against one witness each, and what they come to together."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypedDict

import numpy as np

from gradparity.drawing import Sign
from gradparity.drawing.words import listing
from gradparity.protocol import Dtype

Kind = Literal["value", "gradient", "whole gradient", "Hessian-vector product"]
Short = Literal["bfloat16", "float16"]
Lane = Dtype | Short
DIFFERENCES = "differences"
"""The witness that takes no derivative: differences of the loss itself."""
NAMED: dict[Kind, str] = {
    "value": "c[{!r}]",
    "gradient": "d[{!r}]",
    "whole gradient": "∂L/∂{}",
    "Hessian-vector product": "(Hv)[{!r}]",
}
"""How a row is named: a line's value, a line's gradient, a parameter's gradient from the backend's own chain, and how
that changes when all parameters move along a direction v."""


class RowFile(TypedDict):
    """A row as JSON has it."""

    line: str
    kind: Kind
    backend: str
    witness: str
    lane: Lane
    error: float | None
    """None where it is infinite."""
    limit: float
    note: str
    diagnosis: str
    pinned: bool
    slope: float | None
    place: str
    example: str
    called: str
    agrees: bool


class UncheckedFile(TypedDict):
    """What was not checked, as JSON has it."""

    what: str
    backend: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One comparison: one named line of one backend against one witness."""

    line: str
    kind: Kind
    """"value" and "gradient": the line alone, fed the witness's numbers; "whole gradient": the backend's own chain."""
    backend: str
    witness: str
    lane: Lane
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

    place: str = ""
    """Where the line is written, as ``my_model.py:34``, as far as known."""
    example: str = ""
    """The smallest case at which the line is wrong, as far as one was found."""
    called: str = ""
    """What its author calls it, where that is not as a derivation writes it."""
    arrays: tuple[np.ndarray, np.ndarray] | None = field(default=None, compare=False, repr=False)
    """Of a row that disagrees: the array and the witness's, where both have one shape."""

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

    @property
    def name(self) -> str:
        """The line as the derivation writes it: c['z'], d['z'], ∂L/∂W."""
        return self.called or NAMED[self.kind].format(self.line)

    def to_dict(self) -> RowFile:
        """Return the row as plain data, for JSON; an infinite error is None there."""
        error = self.error if self.error < float("inf") else None
        plain = asdict(replace(self, arrays=None))
        del plain["arrays"]
        return RowFile(**{**plain, "error": error, "agrees": self.agrees})  # type: ignore[typeddict-item]


@dataclass(frozen=True)
class Unchecked:
    """Something that was asked for and was not compared with anything that could show a mistake."""

    what: str
    """A gradient as a derivation writes it, or what else was asked for."""
    backend: str
    reason: str

    def to_dict(self) -> UncheckedFile:
        """Return it as plain data, for JSON."""
        return {"what": self.what, "backend": self.backend, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.what} of {self.backend} is not checked: {self.reason}"


def describe(row: Row) -> str:
    """Say in one line what a row found."""
    symbol = "c" if row.kind == "value" else "d"
    line = row.called or f"{symbol}[{row.line!r}]" + (" (whole gradient)" if row.kind == "whole gradient" else "")
    where = f"{row.place + ', ' if row.place else ''}{row.backend} against {row.witness} in {row.lane}"
    found = row.note or f"relative error {row.error:.1e}, at most {row.limit:.1e} is rounding"
    said = f"{row.diagnosis} ({where}: {found})" if row.diagnosis else f"{line} of {where}: {found}"
    return f"{said}; smallest case: {row.example}" if row.example else said


def names_an_edit(sentence: str) -> bool:
    """Whether a sentence tells, as ``mending`` does, what to write instead: one edit may mend several lines."""
    return "in place of" in sentence


def told(rows: Iterable[Row]) -> Iterator[str]:
    """Describe findings, of which several lines may have one sentence: one edit of a rule mends them all."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        said = row.diagnosis.removeprefix(row.name)
        alike.setdefault((row.backend, said if names_an_edit(said) else describe(row)), []).append(row)
    for first, *others in alike.values():
        also = f"; the same edit mends {listing([row.name for row in others])}" if others else ""
        yield f"{describe(first)}{also}"


def disagreements(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that do not agree."""
    return tuple(row for row in rows if not row.agrees)


def consequences(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that disagree only because a line of the same backend is wrong by itself.

    They are those of whole gradients; and, where a rule is also asked in another way, "Rule in a second backward
    pass", those of the lines that are wrong however it is asked.
    """
    found = disagreements(rows)
    alone = [row for row in found if row.kind != "whole gradient"]
    backends = {row.backend for row in alone}
    return tuple(
        row
        for row in found
        if (row.backend in backends and row.kind == "whole gradient")
        or any(_asked_otherwise(row, other) for other in alone)
    )


def _asked_otherwise(row: Row, as_it_is: Row) -> bool:
    """Whether a row is of another way of asking for a line that is wrong as it is; of values, any speaks for all."""
    same_line = row.line == as_it_is.line or row.kind == "value"
    return row.kind == as_it_is.kind and same_line and row.backend.startswith(f"{as_it_is.backend} ")


def findings(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return a row for each wrong line of each backend, in float64 where that shows it, without the consequences.

    Gradients come in backward order: the culprit stands before what it may have spoilt.
    """
    found = disagreements(rows)
    follow = set(consequences(found))
    first: dict[tuple[str, Kind, str], Row] = {}
    for row in sorted(found, key=lambda row: row.lane != "float64"):
        if row not in follow:
            first.setdefault((row.backend, row.kind, row.line), row)
    told = [row for row in found if row in set(first.values())]

    def order(row: Row) -> tuple[int, bool, int]:
        forward = row.kind == "value"
        return backends.index(row.backend), not forward, told.index(row) * (1 if forward else -1)

    backends = list(dict.fromkeys(row.backend for row in told))
    return tuple(sorted(told, key=order))


def smallest_visible_bugs(rows: Iterable[Row]) -> dict[tuple[Kind, str], float]:
    """Kind and line -> the smallest relative bug that float32 shows on these numbers, against every witness.

    It is the limit of the row, the largest over the witnesses: a bug of that size is as large as what rounding
    explains. Empty without a float32 lane.
    """
    found: dict[tuple[Kind, str], float] = {}
    for row in rows:
        if row.lane == "float32":
            found[row.kind, row.line] = max(row.limit, found.get((row.kind, row.line), 0.0))
    return found


def sign(rows: Iterable[Row], follow: Iterable[Row]) -> Sign:
    """Say what some rows come to together, where those in ``follow`` are only consequences."""
    wrong = set(disagreements(rows))
    if not wrong:
        return "✓"
    return "↳" if wrong <= set(follow) else "✗"
