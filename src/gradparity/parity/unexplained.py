"""What is said of a wrong gradient whose error alone tells no cause: by edits of its rule, and by what else is asked.

A guard that the rule ignores hides a factor or a sign behind an error of its own: it is made small first. What is wrong
in one way of asking only, such as on arrays that are not contiguous, is wrong because of that.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gradparity.parity.diagnosis.expressions import unary
from gradparity.parity.diagnosis.mending import mend
from gradparity.parity.diagnosis.rerun import variables_of
from gradparity.parity.diagnosis.words import is_vague
from gradparity.parity.differences import agreement_with
from gradparity.parity.guards import guards_in, reduced
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import norm
from gradparity.parity.problem import Problem, Written
from gradparity.parity.rows import DIFFERENCES, Row
from gradparity.protocol import Trace

RowsOf = Callable[[Problem], list[Row]]
FITTED = "times the right value everywhere"
"""A factor without a name; what mends another line, and this one too, says more."""
WHOLE = 1e-6
"""A number is taken for a whole one that is so near to it."""


def explained(problem: Problem, rows: list[Row], rows_of: RowsOf) -> list[Row]:
    """Say of wrong gradients that no cause explains which edit of the rule makes them right."""
    return [*_hinted(problem, _told(problem, rows, rows_of))]


def _told(problem: Problem, rows: list[Row], rows_of: RowsOf) -> list[Row]:
    if not any(_is_lost(problem, row) for row in rows):
        return rows
    rows = _by_edits(problem, rows)
    lost = any(_is_lost(problem, row) for row in rows)
    guards = guards_in(problem.code[:1]) if problem.again and lost else []
    if not guards or problem.again is None:
        return rows
    with reduced(guards):
        without = replace(problem.again(), lanes=("float64",), rule=problem.rule, places=problem.places)
        again = {_key(row): row for row in _by_edits(without, rows_of(without))}
    better = [again.get(_key(row), row) if _is_lost(problem, row) else row for row in rows]
    return [
        replace(row, diagnosis=other.diagnosis, place=other.place) if other.diagnosis else row
        for row, other in zip(rows, better, strict=True)
    ]


def _hinted(problem: Problem, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows; the first wrong gradient with a hint, where a softmax may have been taken over the wrong axis."""
    wrong = next((row for row in rows if row.kind == "gradient" and not row.agrees and row.diagnosis), None)
    hint = _over_the_wrong_axis(problem) if wrong else ""
    for row in rows:
        yield replace(row, diagnosis=f"{row.diagnosis}; {hint}") if hint and row is wrong else row


def _over_the_wrong_axis(problem: Problem) -> str:
    """Say that columns sum to 1 and rows do not, where rows are examples: as labels say, one for each row."""
    named = {f"c[{name!r}]": value for name, value in problem.first.values.items()} if problem.truths else {}
    rule = None if problem.batch.x.size else problem.rule()
    if rule is not None:
        named |= {name: value for each in variables_of(rule.forward) for name, value in each.items()}
    counts = {len(labels) for labels in problem.given.values() if labels.ndim == 1 and labels.dtype.kind in "iu"}
    for name, value in named.items():
        if isinstance(value, np.ndarray) and value.ndim == 2 and len(value) in counts and (value >= 0).all():
            rows, columns = (np.allclose(value.sum(axis=axis), 1) for axis in (1, 0))
            if columns and not rows:
                return f"the rows of {name} do not sum to 1, its columns do: is a softmax taken over the wrong axis?"
    return ""


def _is_lost(problem: Problem, row: Row) -> bool:
    """Whether nothing is known of why a gradient is wrong: of one that a witness tells, the witness's row says it."""
    untold = row.witness == DIFFERENCES and not any(row.line in t.gradients for t in problem.truths.values())
    wrong = row.kind == "gradient" and row.lane == "float64" and not row.agrees
    return wrong and (is_vague(row.diagnosis) or (untold and not row.diagnosis and not row.note))


def _key(row: Row) -> tuple[str, ...]:
    return row.line, row.kind, row.backend, row.witness, row.lane


def _by_edits(problem: Problem, rows: list[Row]) -> list[Row]:
    lost = [row for row in rows if _is_lost(problem, row)]
    rule = problem.rule() if lost else None
    if rule is None:
        return rows
    truth = problem.first if problem.truths else None
    accuracy: Mapping[str, float] = {}
    if truth is None and problem.probes is not None:
        probes = problem.probes()
        truth, accuracy = probes.trace, probes.accuracy
    told = {} if truth is None else truth.gradients
    measured = {name: m for name, m in problem.measured.items() if m.directions and name not in told}
    limits = _limits(rows, lost[0], accuracy, {*told, *measured})
    right = all(row.agrees for row in rows if row.kind == "value")
    found = mend(rule, truth, limits, measured, right) if truth and any(row.line in limits for row in lost) else None
    if found is None:
        return rows
    return [
        replace(row, diagnosis=problem.spelled(f"{_known_of(row)} {found.sentence}"), place=found.place)
        if row.line in found.lines and (row in lost or FITTED in row.diagnosis)
        else row
        for row in rows
    ]


def _known_of(row: Row) -> str:
    """Begin a sentence with what is known of a line: its name, or a factor that has no name."""
    return f"{row.diagnosis};" if FITTED in row.diagnosis else f"d[{row.line!r}]"


def _limits(rows: Sequence[Row], lost: Row, accuracy: Mapping[str, float], known: Collection[str]) -> dict[str, float]:
    """Return the limits of the gradients that were judged as the lost one was: by its backend, against its witness."""
    own = [row for row in rows if row.kind == "gradient" and (row.backend, row.witness) == (lost.backend, lost.witness)]
    told = [row for row in own if row.lane == "float64" and row.line in known]
    return {row.line: max(FLOAT64_LIMIT, accuracy.get(row.line, row.limit)) for row in told}


def told_by_way(ways: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """Yield the rows of every way of asking; of a line that is right in the first, say that this way makes it wrong."""
    right = {(row.line, row.kind, row.lane) for row in ways[0] if row.agrees}
    first = ways[0][0].backend if ways[0] else ""
    for row in (row for rows in ways for row in rows):
        how = row.backend.removeprefix(first)
        if how and (row.line, row.kind, row.lane) in right and is_vague(row.diagnosis) and not row.agrees:
            yield replace(row, diagnosis=f"{row.name} is right as it is, and wrong{how}")
        else:
            yield row


def guessed(problem: Problem, written: Written, line: str, trace: Trace) -> np.ndarray | None:
    """Return what a gradient too large to be measured entry by entry should be: itself, but for a factor.

    That is a number or a local derivative by which it becomes what was measured along every direction. Along one
    direction any number would fit: then it must be a whole one, or one divided by that.
    """
    array, directions = written.gradients.get(line), problem.measured[line].directions
    if array is None or array.shape != problem.params[line].shape:
        return None
    known = {f"p[{name!r}]": p for name, p in problem.params.items()}
    known |= {f"c[{name!r}]": value for name, value in trace.values.items()}
    found = norm(np.array([float(np.vdot(array, each.v)) for each in directions]))
    ratio = norm(np.array([each.derivative for each in directions])) / found if found > 0 else 0.0
    whole = ratio and any(abs(k - round(k)) <= WHOLE * k for k in (ratio, 1 / ratio))
    guesses = [sign * array * ratio for sign in (1, -1)] if len(directions) > 1 or whole else []
    guesses += [array * factor.value for factor in unary(known, array.shape)]
    return next((guess for guess in guesses if agreement_with(problem.measured[line], guess).agrees), None)
