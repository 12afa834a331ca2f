"""What gradparity's own check says of a mutant. The witnesses run once for all mutants of a derivation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from gradparity import registry
from gradparity.parity.beside import run_beside
from gradparity.parity.budget import error_budgets
from gradparity.parity.examine import rows_of
from gradparity.parity.kinks import kinks_of
from gradparity.parity.problem import LANES, Problem, Subject, Written, draw_params, given_in, of_params, representable
from gradparity.protocol import Batch, Dtype, HandDerivation, ModelSpec, Trace, in_dtype
from gradparity.recording import stacked
from gradparity_manual import backend
from gradparity_manual.derivation import functions
from gradparity_mutants.mutants import Mutant, mutants
from gradparity_mutants.plant import Named, chain


@dataclass(frozen=True, eq=False)
class Trial:
    """A derivation's problem, as it is posed for all its mutants."""

    problem: Problem
    hand: HandDerivation
    """The right one."""
    other: Batch
    """Another batch of as many examples."""

    def mutants(self) -> Iterator[Mutant]:
        """Yield every mutant of the derivation."""
        return mutants(self.hand, dict(self.problem.params), self.problem.batch, self.other)


Adjust: TypeAlias = Callable[[HandDerivation, Named, Batch], tuple[Named, Batch]]
"""Moves drawn parameters and examples to where a check is harder."""


def unchanged(_: HandDerivation, params: Named, batch: Batch) -> tuple[Named, Batch]:
    """Keep what is drawn."""
    return params, batch


def prepare(
    spec: ModelSpec, witnesses: tuple[str, ...], *, n: int = 11, seed: int = 0, adjust: Adjust = unchanged
) -> Trial:
    """Draw parameters and two batches of n examples, and trace the witnesses on the first."""
    hand = functions(spec).derivation
    assert hand is not None
    rng = np.random.default_rng(seed)
    params, batch = adjust(hand, draw_params(spec, rng), spec.example_batch(rng, n))
    params = {name: representable(p) for name, p in params.items()}
    batch, other = (drawn.map(representable) for drawn in (batch, spec.example_batch(rng, n)))
    traces = {name: registry.backend(name).model(spec, "float64").trace for name in witnesses}
    truths = {name: trace(params, batch) for name, trace in traces.items()}
    problem = Problem(
        name=spec.name,
        params=params,
        given=given_in(batch),
        n=n,
        truths=truths,
        budgets=error_budgets(traces, truths, params, batch, rng),
        subjects=(),
        kinks=kinks_of(spec),
        batch=batch,
    )
    return Trial(problem, hand, other)


@dataclass(frozen=True)
class Verdict:
    """What the check says of one derivation, lane by lane."""

    caught: dict[Dtype, bool]
    """Whether any row disagrees, the whole gradient's too."""
    named: tuple[str, ...]
    """The lines that disagree with any witness in any lane, when each is checked alone."""
    diagnoses: tuple[str, ...]
    """Why, in a sentence for each lane and witness that says something else."""


def verdict_on(trial: Trial, hand: HandDerivation) -> Verdict:
    """Check a derivation, right or mutated, on NumPy arrays."""
    problem = replace(trial.problem, hand=hand, subjects=(_subject(trial.problem, hand),))
    with np.errstate(all="ignore"):
        wrong = [row for row in rows_of(problem) if not row.agrees]
    named = {f"{'c' if row.kind == 'value' else 'd'}['{row.line}']" for row in wrong if row.kind != "whole gradient"}
    return Verdict(
        {lane: any(row.lane == lane for row in wrong) for lane in LANES},
        tuple(sorted(named)),
        tuple(dict.fromkeys(row.diagnosis for row in wrong if row.diagnosis)),
    )


def _subject(problem: Problem, hand: HandDerivation) -> Subject:
    def own_chain(lane: Dtype) -> Trace:
        params = {name: p.astype(lane) for name, p in problem.params.items()}
        values, gradients = (_arrays(stacked(each)) for each in chain(hand, params, batch_in(problem.batch, lane)))
        return Trace(values, of_params(Trace(values, gradients), params))

    def beside(lane: Dtype, truth: Trace) -> Written:
        return run_beside(hand, backend, lane, problem.params, problem.batch, truth)

    return Subject(backend.name, own_chain, beside)


def batch_in(batch: Batch, dtype: Dtype) -> Batch:
    """Cast the inputs, and real targets, to a dtype."""
    return batch.map(lambda a: in_dtype(a, dtype))


def _arrays(named: dict[str, object]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in named.items()}
