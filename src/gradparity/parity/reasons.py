"""Why a right rule may err by more than float64's limit: it computes in float32 inside, or it leaves out a guard.

Both are measured. What computes in float32 inside is rough: where everything that enters is changed by a few units in
the last place of float32, its results jump by as much as they err. What leaves out a guard of the function, as the 1e-9
of ``log(p + 1e-9)``, is right to rounding once that number is so small that it is lost. The same error without such a
reason stays a disagreement.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gradparity.parity.budget import DRAWS, FACTOR, ULP, Budgets, budgets_of, nudged
from gradparity.parity.guards import Guard, guards_in, reduced
from gradparity.parity.norms import distance, norm
from gradparity.parity.problem import Changed, Problem
from gradparity.parity.rows import Kind, Row
from gradparity.protocol import Trace

RowsOf: TypeAlias = Callable[[Problem], list[Row]]
SMALL = 1e-3
"""No larger error has such a reason."""
GUARDED = 1e-5
"""The largest error that a guard is taken for: float32 would hardly show it."""
ROUGH = 2.0**-32, 2.0**-18
"""The noise of float32, relative to a result, when less than all of it is in float32, or much of it cancels."""
POINTS = 7
KEPT = 4
"""Runs of that many things are remembered, for the next line of the same."""
SPREAD = 4
"""The error at one point is at most so many times the noise, which is an average, and FACTOR times that in a sum."""


class Excused(NamedTuple):
    """What is left of the disagreements, and what is to be said."""

    rows: list[Row]
    single: dict[str, float]
    """What computes in float32 inside -> the smallest relative bug that shows in spite of it."""
    guards: list[str]
    """A sentence for each guard."""


def excused(problem: Problem, rows: Sequence[Row], rows_of: RowsOf) -> Excused:
    """Give each disagreement that has a reason the limit that belongs to it."""
    single: dict[str, float] = {}
    judged = [_in_single(problem, row, single) if _may_have_a_reason(row) else row for row in rows]
    if problem.again is None or not any(map(_may_have_a_reason, judged)):
        return Excused(judged, single, [])
    return Excused(*_without_guards(problem, judged, rows_of, single))


def single_remark(who: str, limit: float) -> str:
    """Say that something was judged by the budget of float32."""
    return f"{who} computes in float32 inside: judged by what that explains, a relative bug above {limit:.1g} shows"


def _called(function: Callable[..., Any]) -> str:
    """Return what a user calls a function."""
    return str(getattr(function, "__name__", type(function).__name__))


def _may_have_a_reason(row: Row) -> bool:
    return row.lane == "float64" and not row.agrees and not row.note and row.error < SMALL


def _in_single(problem: Problem, row: Row, single: dict[str, float]) -> Row:
    """Judge a row by float32's budget where one of the two sides is rough."""
    for who, changed in _sides(problem, row):
        noise, size = _noise(changed, row.kind, row.line)
        if size > 0 and ROUGH[0] <= noise / size <= ROUGH[1]:
            by = problem.changed.get(row.witness, changed)
            limit = min(_budget(by, row.kind, row.line), SPREAD * FACTOR * noise) / size
            if row.error <= limit:
                single[who] = max(limit, single.get(who, 0.0))
                return replace(row, limit=limit, diagnosis="")
    return row


def _sides(problem: Problem, row: Row) -> Iterator[tuple[str, Changed]]:
    names = [_called(function) for function in problem.code] or [problem.name] * 2
    for subject in problem.subjects:
        if subject.name == row.backend and subject.changed is not None:
            yield names[1], subject.changed
    if row.witness in problem.changed:
        yield names[0], problem.changed[row.witness]


def _of(trace: Trace, kind: Kind, line: str) -> np.ndarray:
    named = trace.values if kind == "value" else trace.gradients
    return named.get(line, np.zeros(()))


@lru_cache(maxsize=KEPT)
def _along(changed: Changed) -> tuple[Trace, ...]:
    """Run something at points in a row, a few units in the last place apart."""

    def at(t: float) -> Callable[[np.ndarray], np.ndarray]:
        rng = np.random.default_rng(0)
        return lambda a: nudged(a, t, rng)

    return tuple(changed(at(2 * i * ULP)) for i in range(POINTS))


def _noise(changed: Changed, kind: Kind, line: str) -> tuple[float, float]:
    """Return the noise ‖·‖₂ of an array, from third differences over a few units in the last place, and its norm.

    Source: J. Moré & S. Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011): the third differences of
    independent errors of variance σ² have variance 20 σ².
    """
    found = [_of(trace, kind, line) for trace in _along(changed)]
    differences = np.diff(np.stack(found), 3, axis=0)
    return norm(differences) / float(np.sqrt(20 * len(differences))), norm(found[0])


def _budget(changed: Changed, kind: Kind, line: str) -> float:
    return _budgets(changed)["value" if kind == "value" else "gradient"].get(line, 0.0)


@lru_cache(maxsize=KEPT)
def _budgets(changed: Changed) -> Budgets:
    rng = np.random.default_rng(0)
    nearby = (changed(lambda a: nudged(a, ULP, rng)) for _ in range(DRAWS))
    return budgets_of(changed(lambda a: a), nearby)


def _without_guards(
    problem: Problem, rows: list[Row], rows_of: RowsOf, single: dict[str, float]
) -> tuple[list[Row], dict[str, float], list[str]]:
    guards = [guard for guard in guards_in(problem.code[:1]) if _matters(problem, guard)]
    every = _right_without(problem, rows, rows_of, guards)
    if not every:
        return rows, single, []
    alone = next((g for g in guards if _right_without(problem, rows, rows_of, [g]).keys() == every.keys()), None)
    named = " and ".join(dict.fromkeys(map(str, [alone] if alone else guards)))
    with_it = max(row.error for row in rows if _key(row) in every)
    said = (
        f"{_called(problem.code[1])} is right up to the guard {named}, which it ignores: relative error {with_it:.1e}, "
        f"{max(every.values()):.1e} without it"
    )
    return (
        [replace(row, limit=GUARDED, diagnosis="") if _key(row) in every else row for row in rows],
        single,
        [said],
    )


def _matters(problem: Problem, guard: Guard) -> bool:
    """Whether what is differentiated is another without it: a number in its backward pass alone is no guard of it."""
    before = problem.values()
    with reduced([guard]):
        after = problem.values()
    return any(0 < distance(after[name], value) < np.inf for name, value in before.items())


def _right_without(
    problem: Problem, rows: Sequence[Row], rows_of: RowsOf, guards: Sequence[Guard]
) -> Mapping[tuple[str, ...], float]:
    """Return the rows, and their error, that disagree with the guards and agree without them."""
    if not guards or problem.again is None:
        return {}
    asked = {_key(row) for row in rows if _may_have_a_reason(row) and row.error <= GUARDED}
    with reduced(guards):
        again = rows_of(replace(problem.again(), lanes=("float64",)))
    return {_key(row): row.error for row in again if row.agrees and _key(row) in asked}


def _key(row: Row) -> tuple[str, ...]:
    return row.line, row.kind, row.backend, row.witness, row.lane
