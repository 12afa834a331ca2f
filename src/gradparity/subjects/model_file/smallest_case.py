"""For each wrong line of a model file, the smallest numbers at which it is wrong."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradparity import registry
from gradparity.parity.beside import run_beside
from gradparity.parity.differences import witness
from gradparity.parity.norms import distance, norm
from gradparity.parity.problem import Problem, given_in
from gradparity.parity.report import Report
from gradparity.parity.rows import Row
from gradparity.parity.smallest import Arrays, smallest
from gradparity.protocol import Batch

SHOWS = 1e-3
"""A relative difference that shows in the digits that are printed."""
ENTRIES = 2000
"""Numbers in a problem from which on differences take too long."""
SECONDS = 1.0
"""For each line that is told with one."""
TOLD = 2


def with_smallest_cases(report: Report, problem: Problem) -> Report:
    """Add to the first wrong lines of a report the smallest case of each, where there is one."""
    entries = sum(a.size for a in (*problem.params.values(), *problem.first.values.values()))
    lines = [row for row in report.findings if row.kind == "gradient" and row.lane == "float64"][:TOLD]
    if problem.hand is None or entries > ENTRIES or not lines:
        return report
    wrong = {row.line for row in report.disagreements}
    said = {row: "".join(_cases(problem, row, wrong)) for row in lines}
    return replace(report, rows=tuple(replace(row, example=said[row]) if row in said else row for row in report.rows))


def _cases(problem: Problem, row: Row, wrong: set[str]) -> Iterator[str]:
    hand, kinks, backend = problem.hand, problem.kinks, registry.backend("numpy")
    assert hand is not None

    def ask(arrays: Arrays) -> tuple[np.ndarray, np.ndarray] | None:
        params = {name: arrays[name] for name in problem.params}
        extras = {name: arrays[f"batch.extras['{name}']"] for name in problem.batch.extras}
        batch = Batch(arrays["batch.x"], arrays["batch.y"], extras)
        truth = witness(hand.forward, params, batch, np.random.default_rng(0), kinks).trace
        gradients = run_beside(hand, backend, "float64", params, batch, truth).gradients
        off = {
            name: distance(gradients[name], right) > SHOWS * max(norm(right), norm(gradients[name]), SHOWS)
            for name, right in truth.gradients.items()
            if name in gradients
        }
        same = all(gradients[name].shape == truth.gradients[name].shape for name in off)
        # Where another line is wrong too, it is not the same mistake any more.
        finite = row.line in off and np.isfinite(gradients[row.line]).all()
        if not same or not finite or not off[row.line] or any(bad for name, bad in off.items() if name not in wrong):
            return None
        return gradients[row.line], truth.gradients[row.line]

    case = smallest({**given_in(problem.batch), **problem.params}, ask, SECONDS)
    if case is not None:
        yield case.told(row.called or row.name)
