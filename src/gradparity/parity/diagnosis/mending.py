"""Which small edit of a rule's own source makes a wrong gradient right: then the mistake has a line and a name.

A rule that is one function of ordinary code tells no intermediates by which an error could be explained. But it can be
run again: each likely edit (``edits``) is put in force, and one that makes wrong gradients right, to rounding, and no
right one wrong, is what its author has most likely meant. On numbers as general as a check's that is no chance.

Where to look is asked first: a statement that is scaled changes the gradients that are made of it. The mistake is most
likely in one that the wrong gradients are made of, and no right one.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypeAlias

import numpy as np

from gradparity.parity.diagnosis.edits import KINDS, Clause, Edit, clauses_of, scaled
from gradparity.parity.diagnosis.rerun import Editable, Rule, Run, functions_of
from gradparity.parity.differences import LossMeasurement, agreement_with
from gradparity.parity.effort import seconds_of
from gradparity.parity.norms import SINGLE, in_single, relative_error
from gradparity.protocol import Trace

SECONDS = 3.0
"""Edits are tried about this long at most: so many of them as this has room for on a quiet machine."""
WRITING = 3e-4
"""Seconds to write an edit and to make code of it."""
COMPILING = 0.02
"""Seconds for what a library compiles of it."""
TRIES = 5000
"""Edits that are tried at most."""


RANKED = 1.2
"""How much less likely an edit is in a statement of the next rank: a little more than one of the next kind."""
SAME = 1e-12
"""A relative change that is none."""

Gradients: TypeAlias = Mapping[str, np.ndarray]


class Mended(NamedTuple):
    """An edit and what it makes right."""

    place: str
    edit: Edit
    lines: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is wrong, without the name of the line."""
        was, instead = (_short(text) for text in (self.edit.was, self.edit.instead))
        return f"{self.edit.why}: with `{instead}` in place of `{was}` it is right"


def mend(
    rule: Rule,
    truth: Trace,
    limits: Mapping[str, float],
    measured: Mapping[str, LossMeasurement],
    forward_is_right: bool = True,
) -> Mended | None:
    """Find an edit of the functions that a rule runs by which wrong lines become right, and no right one wrong.

    ``limits`` are the largest relative errors of a right line; one that ``truth`` does not tell is judged by what was
    ``measured`` of it along random directions. Where the forward pass is right it stays as it is: what it shares with
    the rule is not to blame. The functions are as before on return.
    """

    def run() -> Gradients:
        return rule.run(truth)

    as_it_is, forward = run(), rule.forward() if forward_is_right else {}
    within = {
        line: max(limit, SINGLE * in_single(as_it_is[line])) for line, limit in limits.items() if line in as_it_is
    }

    def is_right(line: str, gradient: np.ndarray) -> bool:
        if line in truth.gradients:
            return relative_error(gradient, truth.gradients[line]) <= within[line]
        return agreement_with(measured[line], gradient).agrees

    def right(found: Gradients) -> set[str]:
        return {line for line, gradient in found.items() if line in within and is_right(line, gradient)}

    sound = right(as_it_is)
    wrong = limits.keys() - sound
    entries = sum(as_it_is[line].size for line in within)
    left = min(TRIES, int(SECONDS / (WRITING + seconds_of(run, entries) + rule.compiles * COMPILING)))
    best: Mended | None = None
    for editable, edit in _edits(functions_of(rule, run), run, as_it_is, wrong):
        if not left:
            break
        left -= 1
        now = right(editable.tried(run))
        mended = frozenset(wrong & now)
        better = sound <= now and len(mended) > (len(best.lines) if best else 0)
        if better and (not forward or _same(forward, editable.tried(rule.forward))):
            best = Mended(rule.place(editable.file, edit.line), edit, mended)
            if mended == wrong:
                break
    return best


def _edits(
    functions: list[Editable], run: Run, as_it_is: Gradients, wrong: AbstractSet[str]
) -> Iterator[tuple[Editable, Edit]]:
    """Yield every edit, put in force, of every function: those of the likeliest statements first."""
    ranked: dict[int, list[tuple[Editable, Clause]]] = {}
    for editable in functions:
        for clause in clauses_of(editable.tree):
            ranked.setdefault(_rank(editable, clause, run, as_it_is, wrong), []).append((editable, clause))
    known = {editable.function: editable.known() for editable in functions}
    order = [(weight + RANKED * rank, kind, rank) for weight, kind in KINDS for rank in ranked]
    for _, kind, rank in sorted(order, key=lambda each: each[0]):
        for editable, clause in ranked[rank]:
            with editable.restored():
                for edit in kind(clause, editable, known[editable.function]):
                    yield editable, edit


def _rank(editable: Editable, clause: Clause, run: Run, as_it_is: Gradients, wrong: AbstractSet[str]) -> int:
    """Return 0 for a clause that all the wrong lines are made of and no right one, and more the less likely it is."""
    with editable.restored():
        runs = [editable.tried(run) for _ in scaled(clause)]
    if not all(runs) or not runs:
        return 2
    changed = {line for now in runs for line in now if relative_error(now[line], as_it_is[line]) > SAME}
    if changed <= wrong:
        return 0 if changed == wrong else 1 if changed else 4
    return 3 if changed & wrong else 5


def _same(one: Gradients, other: Gradients) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
