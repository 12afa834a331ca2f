"""One problem in, one report out: every subject is run, judged line by line, and each wrong line explained.

Two lanes. float64 is for the mathematics: a relative error above 1e-10 is a wrong formula. float32 is for the
implementation: the error against the float64 truth must stay within a budget measured on the same numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, starmap

import numpy as np

from gradparity.drawing.words import listing
from gradparity.inputs import independent
from gradparity.parity.diagnosis import Evidence, diagnose, gather
from gradparity.parity.differences import ALL, LossMeasurement, agreement_with, flat
from gradparity.parity.judge import FLOAT64_LIMIT, TOO_LOOSE, Judge
from gradparity.parity.kinks import census
from gradparity.parity.norms import SINGLE, in_single
from gradparity.parity.pinned import own_rounding
from gradparity.parity.problem import Problem, RuleRaisedError, Subject, Written, of_params
from gradparity.parity.reasons import excused, single_remark
from gradparity.parity.report import Report
from gradparity.parity.rows import DIFFERENCES, Kind, Row, Unchecked
from gradparity.parity.rule import no_rules, wrong_share
from gradparity.parity.unexplained import explained, guessed, told_by_way
from gradparity.protocol import Dtype, Trace


def examine(problem: Problem, seed: int) -> Report:
    """Judge every subject of a problem. ``seed`` is what it was drawn from, for the report."""
    return examine_ways([problem], seed)


def examine_ways(problems: Iterable[Problem], seed: int, name: str = "") -> Report:
    """Judge several problems that ask the same in different ways, and put their rows into one report.

    Without any it is an empty one of this name.
    """
    posed = list(problems)
    if not posed:
        return Report(name, 0, seed, (), (), ())
    judged = [excused(problem, rows_of(problem), rows_of) for problem in posed]
    rows = [*told_by_way([explained(problem, each.rows, rows_of) for problem, each in zip(posed, judged, strict=True)])]
    single = {who: max(each.single.get(who, 0.0) for each in judged) for each in judged for who in each.single}
    reasons = [*starmap(single_remark, single.items()), *(said for each in judged for said in each.guards)]
    witnesses = dict.fromkeys(witness for problem in posed for witness in problem.truths)
    if any(row.witness == DIFFERENCES for row in rows) or any(problem.measured for problem in posed):
        witnesses[DIFFERENCES] = None
    return Report(
        model=posed[0].name,
        n=posed[0].n,
        seed=seed,
        backends=tuple(dict.fromkeys(subject.name for problem in posed for subject in problem.subjects)),
        witnesses=tuple(witnesses),
        rows=tuple(rows),
        remarks=tuple(dict.fromkeys(chain(reasons, *(_remarks(problem, rows, seed) for problem in posed)))),
        unchecked=tuple(each for problem in posed for each in _unchecked(problem, rows)),
    )


def rows_of(problem: Problem) -> list[Row]:
    """Compare every subject with every witness in every lane."""
    return [
        row for lane in problem.lanes for subject in problem.subjects for row in _subject_rows(problem, subject, lane)
    ]


def _subject_rows(problem: Problem, subject: Subject, lane: Dtype) -> Iterator[Row]:
    """Run a subject's own chain once in a lane, and its lines beside each witness."""
    chain = subject.chain(lane) if subject.chain else None
    written = None
    for witness, truth in problem.truths.items():
        if witness == subject.name:
            continue
        judge = Judge(subject.name, witness, lane, truth, problem.budgets, problem.rtol)
        if subject.beside is not None:
            try:
                written = subject.beside(lane, truth)
            except RuleRaisedError as error:
                yield _raised(problem, judge, error)
                continue
            rows = [_diagnosed(problem, judge, written, row) for row in judged_lines(problem, judge, written)]
        else:
            rows = _line_rows(judge, chain) if chain else []
        if chain is not None:
            rows += _whole_rows(judge, chain, problem, written)
            rows = own_rounding(problem, judge, chain, rows, written)
        yield from rows
    if lane == "float64" and problem.measured:
        if subject.beside is not None and not problem.truths:
            written = subject.beside(lane, Trace({}, {}))
        yield from _against_differences(problem, subject, chain, written)


def _line_rows(judge: Judge, chain: Trace) -> list[Row]:
    """Compare every name with a machine's; one that names nothing but the loss is asked for what it tells."""
    values, gradients = list(judge.truth.values), list(judge.truth.gradients)
    if set(chain.values) == {"loss"}:
        values, gradients = ["loss"], [name for name in gradients if name in chain.gradients]
    return judge.rows("value", chain.values, values) + judge.rows("gradient", chain.gradients, gradients)


def _whole_rows(judge: Judge, chain: Trace, problem: Problem, written: Written | None) -> list[Row]:
    """Compare the gradient that training uses: the one of the subject's own chain."""
    reads = {} if written is None else written.gradient_reads
    return [
        row
        for name in problem.params
        if name in judge.truth.gradients
        for row in judge.rows("whole gradient", chain.gradients, [name], reads if reads.get(name) else None)
    ]


def judged_lines(problem: Problem, judge: Judge, written: Written) -> list[Row]:
    """Compare the lines of a hand derivation with the witness's."""
    stray = written.gradients.keys() - judge.truth.gradients.keys()  # perhaps meant to be what is missing
    need_not = problem.seeds | (frozenset() if stray else problem.optional)
    gradients = [name for name in judge.truth.gradients if name not in need_not or name in written.gradients]
    rows = judge.rows("gradient", written.gradients, gradients, written.gradient_reads)
    if written.values is None:
        return rows
    return judge.rows("value", written.values, judge.truth.values, written.value_reads) + rows


def evidence_on(problem: Problem, judge: Judge, written: Written, row: Row) -> Evidence:
    """Collect what is known about a line that disagrees."""
    forward = row.kind == "value"
    arrays = (written.values or {}) if forward else written.gradients
    reads = written.value_reads if forward else written.gradient_reads
    # A gradient that the derivation fuses into another is no part of what its author may have forgotten.
    unwritten = problem.optional - written.gradients.keys() - {row.line}
    told = {name: g for name, g in judge.truth.gradients.items() if name not in unwritten}
    return gather(
        "c" if forward else "d",
        row.line,
        arrays.get(row.line),
        truth=replace(judge.truth, gradients=told),
        params=problem.params,
        given=problem.given,
        n=problem.n or 1,
        reads=reads.get(row.line, ()),
        written=arrays,
        limit=row.limit,
        dtype=judge.lane,
    )


def _diagnosed(problem: Problem, judge: Judge, written: Written, row: Row) -> Row:
    """Say why a line is wrong, where it is."""
    if row.agrees:
        return row
    why = diagnose(evidence_on(problem, judge, written, replace(row, limit=_limit(row, written))))
    own = (problem.places[row.line],) if row.line in problem.places else ()
    places = written.places.get(f"{'c' if row.kind == 'value' else 'd'}[{row.line!r}]", own)
    place = ", ".join(dict.fromkeys(places))
    shares = written.shares.get(row.line, ()) if row.kind == "gradient" and row.lane == "float64" else ()
    lost = wrong_share(problem, row.line, shares) if problem.truths else None
    if lost is not None:
        place = places[lost] if lost < len(places) else place
        which = f"the one that {place} adds" if place else "one"
        why += f"; of its {len(shares)} shares {which} is wrong"
        why += f", number {lost + 1}" if len(set(places)) < len(shares) else ""
    return replace(row, note=problem.spelled(row.note), diagnosis=problem.spelled(why), place=place)


def _limit(row: Row, written: Written) -> float:
    """Return what rounding may explain of a line's error: that of float32, where the line holds such numbers."""
    arrays = (written.values or {}) if row.kind == "value" else written.gradients
    array = arrays.get(row.line)
    return max(row.limit, SINGLE) if array is not None and row.lane == "float64" and in_single(array) else row.limit


def _raised(problem: Problem, judge: Judge, error: RuleRaisedError) -> Row:
    first = next(iter(judge.truth.values))
    kind: Kind = "gradient" if error.in_backward else "value"
    line = next(iter(problem.params)) if error.in_backward else first
    note, place = str(error), problem.places.get(line, "")
    return Row(line, kind, judge.backend, judge.witness, judge.lane, float("inf"), 0.0, note, place=place)


def _against_differences(problem: Problem, subject: Subject, chain: Trace | None, written: Written | None) -> list[Row]:
    """Compare gradients with what the loss itself says; names that could not be measured have no row."""
    judged: dict[Kind, Mapping[str, np.ndarray]] = {}
    if chain is not None:
        whole = of_params(chain, problem.params)
        if ALL in problem.measured:
            whole = {ALL: flat(whole, problem.params)} if whole.keys() == problem.params.keys() else {}
        judged["whole gradient"] = whole
        if subject.beside is None:
            judged["gradient"] = {name: g for name, g in chain.gradients.items() if name not in problem.params}
    elif written is not None:
        judged["gradient"] = {x: written.gradients.get(x, np.zeros_like(p)) for x, p in problem.params.items()}
    if written is not None and chain is not None:
        # A line that no witness tells; of the others the witness's number is the better one.
        told = {name for truth in problem.truths.values() for name in truth.gradients} | set(problem.params)
        judged["gradient"] = {name: g for name, g in written.gradients.items() if name not in told}
    rows = []
    for kind, gradients in judged.items():
        for name, gradient in gradients.items():
            if name in problem.measured and problem.measured[name].directions:
                row = _difference_row(subject.name, kind, problem.measured[name], gradient, problem.rtol)
                rows.append(row if written is None or row.agrees else _diagnosed_by_probes(problem, written, row))
    return rows


def _difference_row(subject: str, kind: Kind, measured: LossMeasurement, gradient: np.ndarray, rtol: float) -> Row:
    found, shape = agreement_with(measured, gradient), measured.directions[0].v.shape
    note = "" if gradient.shape == shape else f"shape {gradient.shape}, should be {shape}"
    limit = max(found.limit, rtol)
    return Row(measured.name, kind, subject, DIFFERENCES, "float64", found.error, limit, note, slope=found.slope)


def _diagnosed_by_probes(problem: Problem, written: Written, row: Row) -> Row:
    """Say why a line that only differences have judged is wrong: by its gradient, measured entry by entry."""
    if problem.probes is None or problem.truths:
        return replace(row, place=problem.places.get(row.line, ""))
    probes = problem.probes()
    trace, limit = probes.trace, max(FLOAT64_LIMIT, probes.accuracy.get(row.line, row.limit))
    if row.line not in probes.accuracy:
        found = guessed(problem, written, row.line, trace)
        if found is None:
            return replace(row, place=problem.places.get(row.line, ""))
        trace = replace(trace, gradients={**trace.gradients, row.line: found})
    judge = Judge(row.backend, row.witness, "float64", trace, {})
    return replace(_diagnosed(problem, judge, written, replace(row, limit=limit)), limit=row.limit)


def _unchecked(problem: Problem, rows: Sequence[Row]) -> Iterator[Unchecked]:
    """Yield each gradient that nothing was held against which could show a mistake of a factor of 2.

    A witness need not be held against another one, unless nothing else is asked.
    """
    yield from problem.unchecked
    asked = [s for s in problem.subjects if s.name not in problem.truths]
    for subject in asked or (() if any(rows) else problem.subjects):
        for name in _asked(problem):
            own = [row for row in rows if row.backend == subject.name and row.line in (name, ALL)]
            told = problem.params[name].size and any(row.limit < TOO_LOOSE or not row.agrees for row in own)
            if not told and not _raised_in(rows, subject):
                yield Unchecked(f"d[{name!r}]", subject.name, _why_unchecked(problem, name, own))


def _asked(problem: Problem) -> list[str]:
    """Return the parameters whose gradient the witnesses were asked for: all, where there is no witness."""
    known = [truth.gradients for truth in problem.truths.values()]
    told = {name for gradients in known for name in gradients} | set(problem.measured)
    return [name for name in problem.params if not known or name in told]


def _raised_in(rows: Sequence[Row], subject: Subject) -> bool:
    return any(row.backend == subject.name and row.kind == "value" and not row.agrees for row in rows)


def _why_unchecked(problem: Problem, name: str, own: Sequence[Row]) -> str:
    if not problem.params[name].size:
        return "it has no entries: choose arrays that have some"
    if own:
        loosest = min(row.limit for row in own)
        return f"on these numbers rounding alone explains a relative error of {loosest:.1g}: choose others"
    reasons = [] if problem.truths else ["no machine differentiates it here"]
    if name in problem.measured and not problem.measured[name].directions:
        reasons.append("the loss has no derivative at a kink that these numbers are at: choose others")
    return ", and ".join(reasons) or "no other witness is there to compare it with: add a backend"


def _remarks(problem: Problem, rows: Sequence[Row], seed: int) -> Iterator[str]:
    """Say how the differences were taken, how near the numbers came to a kink, and which lines are right by luck."""
    yield from problem.remarks
    measured = problem.measured
    methods = sorted({m.method for m in measured.values()})
    if methods:
        yield f"differences: no autodiff, the loss along random directions by {' and '.join(methods)}"
    by_hand = {subject.name for subject in problem.subjects if subject.beside}
    told = {row.line for row in rows if row.kind == "gradient" and row.backend in by_hand}
    left_out = [f"d[{name!r}]" for name in problem.optional - told if rows and name in problem.first.gradients]
    if left_out:
        yield f"backward never writes {listing(sorted(left_out))}: the lines that go on from there are compared"
    if any(m.single for m in measured.values()):
        yield f"{problem.name} computes in float32 inside: differences of it show no smaller mistake than their limit"
    slopes = [row.slope for row in rows if row.slope is not None]
    if slopes:
        yield f"Taylor test: remainders fall as h^{min(slopes):.2f} or faster; 2 is right, 1 is wrong"
    given_up = [name for name, m in measured.items() if not m.directions]
    if given_up:
        yield f"differences: {', '.join(given_up)} not measured, for the loss has no derivative at a kink"
    for count in census(problem.kinks, problem.first.values) if problem.truths else ():
        if count.at or count.near:
            yield (
                f"kinks: of {count.decisions} entries of {count.line}, {count.at} are at the {count.kink}'s kink, "
                f"{count.near} near"
            )
    if problem.hand is not None and (measured or DIFFERENCES in problem.truths) and ALL not in measured:
        wrong = {row.line for row in rows if not row.agrees}
        yield from no_rules(problem, independent(seed, "rules"), wrong)
