"""The Jacobian of a small pair, row by row: each entry of the output alone gets the upstream gradient 1.

A random upstream gradient mixes all outputs: it shows that a gradient is wrong, and not in which output. One output at
a time gives the row ∂y[i]/∂x of the Jacobian, and the entry that is wrong can be followed with a pencil.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from gradparity.parity.diagnosis.words import apart
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import distance, norm
from gradparity.parity.problem import Probes
from gradparity.parity.report import Report
from gradparity.parity.rows import DIFFERENCES, Row
from gradparity.subjects.arguments import Arrays

OUTPUTS = 64
"""Entries of the outputs, each of which costs a backward pass."""
ENTRIES = 10_000
"""Entries of the Jacobian."""
RUNS = 2_000
"""Runs of the function, where nothing but differences of it is a witness."""
OVERHEAD = 40
"""Runs that it takes to see how an argument can be measured."""
MEASURED_LIMIT = 1e-6
"""The loosest limit of a gradient by differences at which single entries are worth a look."""
ROOM = 4
"""A row may err this many times more than the sum of all rows, where that may err at all."""
FEW = 4
"""A mistake in one of so many entries that are not zero is local."""
UNKNOWN = "no known cause fits"

Rule = Callable[[Arrays], Mapping[str, np.ndarray]]
"""Upstream gradients by output -> gradients by argument."""


Right = Callable[[Arrays], Probes]
"""Upstream gradients by output -> what is right, and the relative error that it may have where it is measured."""


class OutputEntry(NamedTuple):
    """One entry of an output."""

    output: str
    at: tuple[int, ...]

    def __str__(self) -> str:
        return _at(f"y{self.output.removeprefix('output')}", self.at)


def is_worth_it(report: Report, witness: str, upstream: Arrays, real: Arrays, rtol: float) -> bool:
    """Whether the Jacobian is cheap, and this witness judged every gradient as exactly as it usually does."""
    own = [row for row in report.rows if (row.witness, row.lane) == (witness, "float64")]
    usual = max(MEASURED_LIMIT if witness == DIFFERENCES else FLOAT64_LIMIT, rtol)
    exact = {row.line for row in own} >= real.keys() and all(row.limit <= usual for row in own)
    return exact and is_small(upstream, real, witness)


def is_small(upstream: Arrays, real: Arrays, witness: str) -> bool:
    """Whether the Jacobian is worth what it takes; that of one number is the gradient itself.

    A machine takes a backward pass for each output, differences a run for each entry and some to see how.
    """
    outputs, inputs = sum(g.size for g in upstream.values()), sum(x.size for x in real.values())
    cheap = outputs * (inputs + OVERHEAD) <= RUNS if witness == DIFFERENCES else outputs * inputs <= ENTRIES
    return 1 < outputs <= OUTPUTS and cheap


def jacobian(rule: Rule, upstream: Arrays, real: Arrays) -> dict[str, Float[np.ndarray, "outputs ..."]]:
    """Return ∂y/∂x of each argument, a row for each entry of the outputs, in the order of ``entries_of``.

    What the rule leaves out is zero.
    """
    with np.errstate(all="ignore"):  # a rule that gives infinity gives NaN where the upstream gradient is zero
        rows = [rule(_one_hot(entry, upstream)) for entry in entries_of(upstream)]
    return {x: np.stack([np.asarray(row.get(x, np.zeros_like(a))) for row in rows]) for x, a in real.items()}


def entries_of(upstream: Arrays) -> Iterator[OutputEntry]:
    """Yield every entry of every output, the last axis first."""
    for output, g in upstream.items():
        yield from (OutputEntry(output, index) for index in np.ndindex(g.shape))


def with_jacobian(
    report: Report, backend: str, own: Rule, witness: str, truth: Right, upstream: Arrays, real: Arrays
) -> Report:
    """Compare the Jacobian of a small pair, and point at the entry that is wrong.

    A gradient of which no cause is known is told with its worst entry; one that only the Jacobian shows to be wrong
    has a row of its own.
    """
    accuracy = [0.0]

    def exact_or_measured(dy: Arrays) -> Mapping[str, np.ndarray]:
        found = truth(dy)
        accuracy.extend(found.accuracy.values())
        return found.trace.gradients

    yours, right = (jacobian(rule, upstream, real) for rule in (own, exact_or_measured))
    where = list(entries_of(upstream))
    rows = list(report.rows)
    limits = {x: max(_limit(report, x), ROOM * max(accuracy)) for x in real}
    found = {x: _worst(x, yours[x], right[x], where) for x in real if not _error(yours[x], right[x]) <= limits[x]}
    for x, sentence in found.items():
        known = [i for i, row in enumerate(rows) if row.line == x and row.kind == "gradient" and not row.agrees]
        for i in known:
            if UNKNOWN in rows[i].diagnosis or _few(yours[x], right[x]):
                rows[i] = replace(rows[i], diagnosis=f"{rows[i].diagnosis}; {sentence}")
        if not known:
            why = f"d[{x!r}] is right for all outputs together and wrong for one alone: {sentence}"
            error = _error(yours[x], right[x])
            rows.append(Row(x, "gradient", backend, witness, "float64", error, limits[x], diagnosis=why))
    agree = f"Jacobian: {len(where)} rows, one for each output alone, agree with those of {witness}"
    return replace(report, rows=tuple(rows), remarks=(*report.remarks, *([] if found else [agree])))


def _limit(report: Report, x: str) -> float:
    """Return what x was allowed to err by against a machine, which may be more than rounding: a guard, or the user."""
    known = (row.limit for row in report.rows if row.line == x and row.lane == "float64" and row.witness != DIFFERENCES)
    limit = max(known, default=FLOAT64_LIMIT)
    return limit if limit <= FLOAT64_LIMIT else ROOM * limit


def _error(yours: Float[np.ndarray, "outputs ..."], right: Float[np.ndarray, "outputs ..."]) -> float:
    """Return the largest error of a row, on the scale of the largest row."""
    rows = [(np.asarray(own), np.asarray(true)) for own, true in zip(yours, right, strict=True)]
    largest = max(norm(true) for _, true in rows)
    return max(distance(own, true) for own, true in rows) / (largest or 1.0)


def _few(yours: Float[np.ndarray, "outputs ..."], right: Float[np.ndarray, "outputs ..."]) -> bool:
    """Whether most of the Jacobian is right, so that it tells more than the gradient that was made of all of it."""
    if yours.shape != right.shape:
        return False
    wrong = np.abs(yours - right) > FLOAT64_LIMIT * np.max(np.abs(right), initial=0.0)
    return bool(FEW * np.count_nonzero(wrong) <= np.count_nonzero(right))


def _worst(x: str, yours: np.ndarray, right: np.ndarray, where: list[OutputEntry]) -> str:
    """Say which entry of ∂y/∂x is farthest off."""
    if yours.shape != right.shape:
        return f"∂{where[0]}/∂{x}: yours has shape {yours.shape[1:]}, right {right.shape[1:]}"
    error = np.nan_to_num(np.abs(yours - right), nan=np.inf)
    row, *index = (int(i) for i in np.unravel_index(np.argmax(error), error.shape))
    mine, true = apart(float(yours[row, *index]), float(right[row, *index]))
    return f"∂{where[row]}/∂{_at(x, tuple(index))}: yours {mine}, right {true}"


def _at(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _one_hot(entry: OutputEntry, upstream: Arrays) -> Arrays:
    one = {output: np.zeros(g.shape) for output, g in upstream.items()}
    one[entry.output][entry.at] = 1.0
    return one
