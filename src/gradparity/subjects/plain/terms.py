"""Which term of a wrong line's own sum is to blame: the one that the whole error is a multiple of."""

import ast
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gradparity.parity.diagnosis.words import is_vague
from gradparity.parity.norms import relative_error
from gradparity.parity.rows import Row
from gradparity.subjects.plain.feeding import Feeding, Judged
from gradparity.subjects.plain.instrument import Site, Source
from gradparity.subjects.plain.posing import Checked
from gradparity.subjects.plain.recorder import Event, Key
from gradparity.subjects.plain.regions import targets_of

PROOF = 3
"""Entries from which on it is no chance that an error is a multiple of a term."""
EXACT = 1e-8
"""The largest relative error of such a multiple."""


def with_wrong_terms(
    feeding: Feeding, checked: Checked, judged: Mapping[str, Judged], rows: Sequence[Row]
) -> tuple[Row, ...]:
    """Name the wrong term of each line that no known cause explains and whose source is a sum."""
    vague = {row: judged[row.line] for row in rows if not row.agrees and is_vague(row.diagnosis) and row.line in judged}
    known = {one.writing.key: one for one in vague.values() if one.of.number in checked.truths.gradients}
    found: dict[Key, str] = {}

    def watch(event: Event) -> None:
        if event.key in known:
            one = known[event.key]
            error = one.value - checked.truths.gradients[one.of.number].gradient
            found[event.key] = next(_to_blame(event, checked.recording.source, error), "")

    with contextlib.suppress(Exception):  # code that does not take right numbers there was judged on its own
        if known:
            feeding.run(checked.truths.arrays, checked.fed.instead, watch, checked.fed.shares)
    said = {row: found.get(one.writing.key, "") for row, one in vague.items()}
    return tuple(replace(row, diagnosis=f"in {row.name}, {said[row]}") if said.get(row) else row for row in rows)


def _to_blame(event: Event, source: Source, error: np.ndarray) -> Iterator[str]:
    """Yield what is wrong with a term, where the error is a multiple of it and of no other."""
    terms = list(_terms(event.site, source))
    scope = {**event.frame.f_globals, **event.frame.f_locals}
    found = []
    for sign, node in terms if error.size >= PROOF and len(terms) > 1 else ():
        with np.errstate(all="ignore"):
            value = np.broadcast_to(_value(node, scope), error.shape) * sign
        k = float(np.vdot(value, error) / (np.vdot(value, value) or 1.0))
        if relative_error(k * value, error) <= EXACT:
            found.append(_said(ast.unparse(node), 1 - k))
    if len(found) == 1:
        yield found[0]


def _value(node: ast.expr, scope: Mapping[str, object]) -> np.ndarray:
    """Compute a term once more, from what its line was computed from; NaN where that cannot be."""
    try:
        return np.asarray(eval(compile(ast.Expression(node), "<term>", "eval"), dict(scope)), dtype=np.float64)
    except Exception:  # what it reads is no longer there
        return np.asarray(np.nan)


def _terms(site: Site, source: Source) -> Iterator[tuple[float, ast.expr]]:
    """Yield the terms of what is assigned at a site, each with its sign; none where it may have another value now."""
    for node in ast.walk(source.trees[site.file]):
        if not isinstance(node, ast.Assign) or node.lineno != site.line or site.itself:
            continue
        if site.target in targets_of(node):
            yield from _summands(node.value, 1.0)


def _summands(node: ast.expr, sign: float) -> Iterator[tuple[float, ast.expr]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from _summands(node.left, sign)
        yield from _summands(node.right, -sign if isinstance(node.op, ast.Sub) else sign)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from _summands(node.operand, -sign)
    else:
        yield sign, node


def _said(term: str, right: float) -> str:
    """Say how a term differs from the right multiple of it."""
    if abs(right) <= EXACT:
        return f"the term `{term}` does not belong there"
    size = abs(right)
    how = f"{1 / size:.4g} times too large" if size < 1 - EXACT else f"{size:.4g} times too small"
    if size < 1 + EXACT and size > 1 - EXACT:
        return f"the term `{term}` has the wrong sign"
    also = "has the wrong sign and is" if right < 0 else "is"
    half = ": a ½ is missing" if abs(size - 0.5) <= EXACT else ""
    return f"the term `{term}` {also} {how}{half}"
