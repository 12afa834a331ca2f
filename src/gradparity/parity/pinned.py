"""Disagreements of a backend's own chain that are only rounding: entries across a kink, and terms that cancel.

In the line-by-line comparison every line is fed the witness's numbers, so its masks are the witness's. A backend's
own chain has its own masks; where one differs, a right gradient is off by the whole share of that entry. And where
terms in the middle nearly cancel, a chain rounds further than its inputs tell: by what its own lines round to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float

from gradparity.parity.budget import budgets_of_lines, rewritten
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import Kink, Kinks, flips, masks
from gradparity.parity.problem import Problem, Written
from gradparity.parity.rows import Kind, Row
from gradparity.protocol import Array, Batch, HandDerivation, Key, Params, Trace
from gradparity.recording import name_of, part


def own_rounding(problem: Problem, judge: Judge, chain: Trace, rows: list[Row], written: Written | None) -> list[Row]:
    """Let those rows of a subject's own chain agree that only rounding makes wrong: across a kink, or large by itself.

    ``written`` is what a hand derivation made line by line; without one all rows are of the chain.
    """
    own_chain: tuple[Kind, ...] = ("whole gradient",) if written else ("whole gradient", "gradient", "value")
    asked = [row for row in rows if row.kind in own_chain and not row.agrees]
    if not asked:
        return rows
    names = across_kinks(judge, problem, chain) if problem.kinks else frozenset()
    room = _room_of_lines(problem, judge, chain, asked, written.gradient_reads if written else {})
    return [
        replace(
            row,
            pinned=row.kind != "value" and row.line in names,
            limit=max(row.limit, room.get((row.kind, row.line), 0.0)),
        )
        if row.kind in own_chain
        else row
        for row in rows
    ]


def across_kinks(judge: Judge, problem: Problem, trace: Trace) -> frozenset[str]:
    """Return the names whose gradient in a backend's own ``trace`` disagrees, but agrees with the masks pinned.

    None is, unless every entry on different sides of a kink is as close to it as the error that its line may have:
    else not rounding, but a wrong value put it there. Nor without a hand derivation, by which masks are pinned.
    """
    kinks = problem.kinks
    if problem.hand is None:
        return frozenset()
    crossed = flips(kinks, trace.values, judge.truth.values)
    limits = {row.line: row.limit for row in judge.rows("value", trace.values, kinks)}
    if not crossed or any(line.distance > limits[line.line] for line in crossed):
        return frozenset()
    truth = pinned(judge.truth, kinks, trace.values, problem.hand, problem.params, problem.batch)
    names = list(judge.truth.gradients)
    before = judge.rows("whole gradient", trace.gradients, names)
    after = replace(judge, truth=truth).rows("whole gradient", trace.gradients, names)
    return frozenset(new.line for old, new in zip(before, after, strict=True) if new.agrees and not old.agrees)


def _room_of_lines(
    problem: Problem, judge: Judge, chain: Trace, asked: Sequence[Row], reads: Mapping[str, tuple[str, ...]]
) -> Mapping[tuple[Kind, str], float]:
    """Return the limits in float32 of these rows of a chain, where its lines round as those of the derivation do.

    It must be right in float64 against this witness, everywhere: a wrong formula does not tell how a right one rounds.
    """
    if problem.hand is None or judge.lane != "float32" or not asked:
        return {}
    own = rewritten(problem.hand, problem.params, problem.batch, lambda _, value: value).gradients
    exact, known = replace(judge, lane="float64", rtol=0.0), [x for x in problem.params if x in judge.truth.gradients]
    if not all(row.agrees for row in exact.rows("whole gradient", own, known)):
        return {}
    budgets = budgets_of_lines(problem.hand, problem.params, problem.batch, np.random.default_rng(0))
    by_lines = replace(judge, budgets=budgets)
    found = {}
    for row in asked:
        arrays = chain.values if row.kind == "value" else chain.gradients
        again = by_lines.rows(row.kind, arrays, [row.line], reads if reads.get(row.line) else None)
        found[row.kind, row.line] = again[0].limit
    return found


def pinned(
    truth: Trace, kinks: Kinks, values: Mapping[str, np.ndarray], hand: HandDerivation, params: Params, batch: Batch
) -> Trace:
    """Return the witness's trace with its gradients as they would be with the masks of a subject's ``values``.

    ``hand`` is run twice by its own chain, on NumPy float64 arrays as ``params`` and ``batch`` are: as it is, and
    with the entries whose side differs from the subject's moved just across the kink when they are written to ``c``,
    before its forward and its backward read them. What that changes in each gradient is added to the witness's: it
    is the share of these entries, and nothing else. So no wrong line is excused: where the derivation itself is
    wrong, its error is in both runs and cancels; and a subject that is wrong for another reason differs from the
    result as it differed from the truth. It needs no more than the subject's values, and so serves any subject, also
    one that a machine differentiates.
    """
    sides = masks(kinks, values)
    pins = {line: partial(_pin, kink, sides[line]) for line, kink in kinks.items()}

    def pin(key: Key, value: Array) -> Array:
        return pins[name_of(key)](value, key) if name_of(key) in pins else value

    own = rewritten(hand, params, batch, lambda _, value: value).gradients
    moved = rewritten(hand, params, batch, pin).gradients
    gradients = {
        name: np.asarray(gradient + (moved[name] - own[name])) if name in own else gradient
        for name, gradient in truth.gradients.items()
    }
    return replace(truth, gradients=gradients)


def _pin(kink: Kink, mask: Bool[np.ndarray, "..."], value: Array, key: Key) -> Array:
    return _PIN[kink](value, part(mask, key))


def _pin_relu(z: Float[np.ndarray, "*shape"], mask: Bool[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    # The smallest normal number changes no sum, and is on its side whether a derivation asks for > 0 or >= 0.
    tiny = np.finfo(z.dtype).tiny
    return np.asarray(np.where((z > 0) == mask, z, np.where(mask, tiny, -tiny)))


def _pin_max(z: Float[np.ndarray, "*rows n"], mask: Bool[np.ndarray, "*rows n"]) -> Float[np.ndarray, "*rows n"]:
    top = np.max(z, axis=-1, keepdims=True)
    return np.asarray(np.where(mask, top, np.minimum(z, np.nextafter(top, -np.inf))))


_PIN: dict[str, Callable[..., np.ndarray]] = {"relu": _pin_relu, "max": _pin_max}
