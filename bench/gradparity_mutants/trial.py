"""What gradparity's own check says of a mutant. The witnesses run once for all mutants of a derivation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from gradparity import registry
from gradparity.parity.budget import Budgets, error_budgets
from gradparity.parity.check import LANES, draw_params
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import kinks_of
from gradparity.parity.lines import compare_lines, with_masks_pinned
from gradparity.parity.report import Row
from gradparity.protocol import Batch, Dtype, HandDerivation, ModelSpec, Trace
from gradparity_manual import backend
from gradparity_manual.derivation import functions
from gradparity_mutants.mutants import Mutant, mutants
from gradparity_mutants.plant import Named, chain


@dataclass(frozen=True)
class Problem:
    """A derivation, the numbers it is checked on, and what the witnesses say there."""

    spec: ModelSpec
    hand: HandDerivation
    params: dict[str, np.ndarray]
    batch: Batch
    other: Batch
    """Another batch of as many examples."""
    truths: dict[str, Trace]
    """Witness -> its float64 trace."""
    budgets: Budgets

    def mutants(self) -> Iterator[Mutant]:
        """Yield every mutant of the derivation."""
        return mutants(self.hand, self.params, self.batch, self.other)


Adjust: TypeAlias = Callable[[HandDerivation, Named, Batch], tuple[Named, Batch]]
"""Moves drawn parameters and examples to where a check is harder."""


def unchanged(_: HandDerivation, params: Named, batch: Batch) -> tuple[Named, Batch]:
    """Keep what is drawn."""
    return params, batch


def pose(
    spec: ModelSpec, witnesses: tuple[str, ...], *, n: int = 11, seed: int = 0, adjust: Adjust = unchanged
) -> Problem:
    """Draw parameters and two batches of n examples, and trace the witnesses on the first."""
    hand = functions(spec).derivation
    assert hand is not None
    rng = np.random.default_rng(seed)
    params, batch = adjust(hand, draw_params(spec, rng), spec.example_batch(rng, n))
    params = {name: _representable(p) for name, p in params.items()}
    batch, other = (drawn.map(_representable) for drawn in (batch, spec.example_batch(rng, n)))
    models = {name: registry.backend(name).model(spec, "float64") for name in witnesses}
    truths = {name: model.trace(params, batch) for name, model in models.items()}
    first = witnesses[0]
    budgets = error_budgets(models[first], truths[first], params, batch, rng)
    return Problem(spec, hand, params, batch, other, truths, budgets)


@dataclass(frozen=True)
class Verdict:
    """What the check says of one derivation, lane by lane."""

    caught: dict[Dtype, bool]
    """Whether any row disagrees, the whole gradient's too."""
    named: tuple[str, ...]
    """The lines that disagree with any witness in any lane, when each is checked alone."""
    diagnoses: tuple[str, ...]
    """Why, in a sentence for each lane and witness that says something else."""


def judge(problem: Problem, hand: HandDerivation) -> Verdict:
    """Check a derivation, right or mutated, on NumPy arrays."""
    with np.errstate(all="ignore"):
        rows = [row for lane in LANES for row in _rows(problem, hand, lane)]
    wrong = [row for row in rows if not row.agrees]
    named = {f"{'c' if row.kind == 'value' else 'd'}['{row.line}']" for row in wrong if row.kind != "whole gradient"}
    return Verdict(
        {lane: any(row.lane == lane for row in wrong) for lane in LANES},
        tuple(sorted(named)),
        tuple(dict.fromkeys(row.diagnosis for row in wrong if row.diagnosis)),
    )


def _rows(problem: Problem, hand: HandDerivation, lane: Dtype) -> Iterator[Row]:
    right = backend.model(problem.spec, lane)
    model = replace(right, functions=right.functions._replace(derivation=hand))
    params = {name: p.astype(lane) for name, p in problem.params.items()}
    trace = Trace(*map(_arrays, chain(hand, params, batch_in(problem.batch, lane))))
    for witness, truth in problem.truths.items():
        judge = Judge(backend.name, witness, lane, truth, problem.budgets)
        rows = compare_lines(judge, backend, model, trace, problem.params, problem.batch)
        kinks = kinks_of(problem.spec)
        yield from with_masks_pinned(rows, judge, kinks, model, trace, hand, problem.params, problem.batch)


def batch_in(batch: Batch, dtype: Dtype) -> Batch:
    """Cast the inputs, and real targets, to a dtype."""
    return batch.map(lambda a: a.astype(dtype) if a.dtype.kind == "f" else a)


def _arrays(named: dict[str, object]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in named.items()}


def _representable(a: np.ndarray) -> np.ndarray:
    return a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a
