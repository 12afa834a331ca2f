"""For each wrong gradient, the smallest numbers at which it is wrong: of model files, of pairs and of kernels alike."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradparity import registry
from gradparity.inputs import independent
from gradparity.parity import derivative
from gradparity.parity.beside import run_beside
from gradparity.parity.differences import witness
from gradparity.parity.effort import seconds_of
from gradparity.parity.norms import distance, norm, typical_size
from gradparity.parity.problem import Named, Problem, given_in
from gradparity.parity.report import Report
from gradparity.parity.rows import Row
from gradparity.parity.smallest import LEAST, Arrays, smallest
from gradparity.protocol import Batch
from gradparity.subjects.arguments import Arguments
from gradparity.subjects.backward_rule import Differentiate
from gradparity.subjects.machines import evaluate

SHOWS = 1e-3
"""A relative difference that shows in the digits that are printed."""
ENTRIES = 2000
"""Numbers in a model from which on differences take too long."""
SECONDS = 1.0
"""For each line that is told with one."""
PROBED = 4
"""Runs that it takes to measure an entry, more or less."""
OVERHEAD = 40
"""Runs that it takes to see how a name can be measured."""
RUN = 1e-4
"""Seconds that a run of a pair takes at least."""
TOLD = 2
ASKS = {"torch": 40.0, "jax": 1.0}
"""How often a machine is asked at the size of the pair; JAX compiles every operation anew for every size."""


class Found(NamedTuple):
    """The gradients at some numbers."""

    yours: Named
    right: Named
    is_smooth: Callable[[], bool] = lambda: True
    """Whether the right ones are derivatives there, and not a library's choice at a kink."""


At = Callable[[Arrays], Found]
"""Arrays by name -> the gradients there; it may raise."""


def with_smallest_cases(report: Report, arrays: Arrays, at: At, asks: float) -> Report:
    """Add to the first wrong gradients of a report the smallest case of each, where there is one."""
    backend = report.backends[0] if report.backends else ""
    lines = [row for row in report.findings if (row.kind, row.lane, row.backend) == ("gradient", "float64", backend)]
    wrong = {row.line for row in report.disagreements}
    said = {row: _case(arrays, partial(_asked, at, row.line, wrong), row, asks) for row in lines[:TOLD] if not row.note}
    return replace(report, rows=tuple(replace(row, example=said.get(row, row.example)) for row in report.rows))


def _case(arrays: Arrays, ask: Callable[[Arrays], Any], row: Row, asks: float) -> str:
    case = smallest(arrays, ask, asks)
    return case.told(row.called or row.name) if case else ""


def _asked(at: At, line: str, wrong: set[str], arrays: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a wrong gradient and the right one; None where it is right, or another is wrong that was not before."""
    found = at(arrays)
    off = {
        name: distance(found.yours[name], right) > SHOWS * max(norm(right), norm(found.yours[name]), SHOWS)
        for name, right in found.right.items()
        if name in found.yours and found.yours[name].shape == right.shape
    }
    also = any(bad for name, bad in off.items() if name not in wrong)
    if also or not off.get(line) or not np.isfinite(found.yours[line]).all() or not found.is_smooth():
        return None
    return found.yours[line], found.right[line]


def of_model_file(report: Report, problem: Problem) -> Report:
    """Add the smallest cases of a model file, whose right gradients are measured without autodiff."""
    hand, backend, rng = problem.hand, registry.backend("numpy"), np.random.default_rng
    arrays = {**given_in(problem.batch), **problem.params}
    entries = sum(a.size for a in (*problem.params.values(), *problem.first.values.values()))
    if hand is None or entries > ENTRIES or report.agrees:
        return report
    forward = hand.forward

    def at(arrays: Arrays) -> Found:
        params = {name: arrays[name] for name in problem.params}
        extras = {name: arrays[f"batch.extras[{name!r}]"] for name in problem.batch.extras}
        batch = Batch(arrays["batch.x"], arrays["batch.y"], extras)
        truth = witness(forward, params, batch, rng(0), problem.kinks).trace
        return Found(run_beside(hand, backend, "float64", params, batch, truth).gradients, truth.gradients)

    once = seconds_of(lambda: forward(problem.params, problem.batch, {}), entries)
    return with_smallest_cases(report, arrays, at, SECONDS / (PROBED * once * entries))


def of_rule(
    report: Report,
    f: Callable[..., Any],
    own: Differentiate,
    right: Differentiate,
    given: Arguments,
    upstream: Mapping[str, np.ndarray],
    witness: str | None = None,
) -> Report:
    """Add the smallest cases of a function's backward rule; the upstream gradient is one of its numbers.

    Without a machine as ``witness`` the right gradients are measured entry by entry.
    """
    names = {y: f"dy{y.removeprefix('output')}" for y in upstream}
    fixed = {x: a for x, a in given.constant_arrays.items() if x not in given.floats}
    arrays = {**fixed, **given.floats, **{names[y]: g for y, g in upstream.items()}}

    def at(arrays: Arrays) -> Found:
        here = given.with_real({x: arrays[x] for x in (*fixed, *given.floats)})
        dy = {y: arrays[names[y]] for y in upstream}
        values = evaluate(f, here, here.real)
        if any(values[y].shape != g.shape for y, g in dy.items()):
            raise ValueError("another shape of the output")
        if not all(np.isfinite(value).all() for value in values.values()):
            raise ValueError("a result that is not finite")
        truth = right(here, dy).gradients
        return Found(own(here, dy).gradients, truth, partial(_is_smooth, f, here, dy, truth))

    entries = sum(a.size for a in given.real.values())
    if not report.disagreements or (witness is None and entries > ENTRIES):
        return report
    if witness is not None:
        return with_smallest_cases(report, arrays, at, ASKS[witness])
    once = RUN + seconds_of(lambda: evaluate(f, given, given.real), entries)
    small = SECONDS / (once * OVERHEAD * len({row.line for row in report.disagreements}))
    return with_smallest_cases(report, arrays, at, min(SECONDS / (PROBED * once * entries), LEAST * small))


def _is_smooth(f: Callable[..., Any], given: Arguments, dy: Named, right: Named) -> bool:
    """Whether differences along a random direction of everything give what the right gradients predict."""
    rng = independent(0, "smoothness")
    v = {x: np.asarray(rng.normal(size=a.shape) * typical_size(a)) for x, a in given.real.items()}

    def along(t: float) -> float:
        y = evaluate(f, given, {x: a + t * v[x] for x, a in given.real.items()})
        return float(sum(np.sum(g * y[name]) for name, g in dy.items()))

    found = derivative.measured(along, along(0.0), derivative.noise(along))
    predicted = sum(float(np.vdot(right[x], v[x])) for x in v if x in right)
    return found is not None and abs(found.derivative - predicted) <= found.accuracy + SHOWS * abs(predicted)
