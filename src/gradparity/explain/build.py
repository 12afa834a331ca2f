"""The explanation of a model: its derivation run beside the machines' at random parameters, in float64."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.explain import comparisons
from gradparity.explain.along import AlongWeight, along_weights
from gradparity.explain.comparisons import Sources
from gradparity.explain.explanation import Edge, ExplainedLine, Explanation
from gradparity.explain.followed import Followed, followed
from gradparity.explain.forward_lines import ForwardLines
from gradparity.explain.slopes import slopes
from gradparity.explain.statements import Statements, statements
from gradparity.parity.examine import rows_of
from gradparity.parity.problem import Problem
from gradparity.parity.rows import DIFFERENCES
from gradparity.parity.rule import forward_reads
from gradparity.protocol import Batch, Line, ModelSpec, Operations, Params
from gradparity.recording import forward_order
from gradparity.runtime import TellsOperations
from gradparity.subjects.specs import pose, spec_of
from gradparity.subjects.trial import in_words

Machine: TypeAlias = Mapping[str, Mapping[str, Operations]]
"""Backend -> line -> operations."""


def build(model: Any, *, batch: Batch | None, n: int, seed: int) -> Explanation:
    """Do what ``gradparity.explain.explain`` says."""
    spec = spec_of(model)
    with in_words(spec):
        problem = pose(spec, batch=batch, n=n, seed=seed, lanes=["float64"], differences=False)
        return _build(spec, problem, seed)


def _build(spec: ModelSpec, problem: Problem, seed: int) -> Explanation:
    hand, batch = problem.hand, problem.batch
    by_hand = next((subject for subject in problem.subjects if subject.beside), None)
    if hand is None or by_hand is None or by_hand.beside is None:
        raise UsageError(f"{spec.name} has no hand derivation on NumPy arrays to explain: see  gradparity backends")
    written = by_hand.beside("float64", problem.first)
    sources = Sources(
        c=written.values or {},
        d=written.gradients,
        truths=problem.truths,
        rows=rows_of(replace(problem, subjects=(by_hand,))),
        slopes=slopes(hand.forward, problem.params, batch, problem.kinks, np.random.default_rng(seed)),
    )
    machine = dict(_machines(spec, problem, batch))
    reads = _reads(problem.first.values, machine) if machine else forward_reads(hand, problem)
    formulas = {line.name: line for line in spec.derivation}
    order = list(formulas) or forward_order(reads, problem.params)
    codes = statements(hand, problem.params, batch)
    forward = ForwardLines(
        hand, problem.params, batch, problem.given, problem.first.values, problem.first.gradients, reads
    )
    found = _followed(forward, order, sources.d)
    return Explanation(
        model=spec.name,
        n=problem.n,
        seed=seed,
        witnesses=tuple(name for name in problem.truths if name != DIFFERENCES),
        lines=tuple(
            _line(name, formulas.get(name), codes, sources, problem.params, machine, found.get(name)) for name in order
        ),
        edges=tuple(Edge(source, name) for name in order for source in reads.get(name, ())),
        inputs={name: array.shape for name, array in problem.given.items()},
        weights=_weights(sources, {name: entry.place for name, entry in found.items()}),
        remarks=tuple(_remarks()),
    )


def _machines(spec: ModelSpec, problem: Problem, batch: Batch) -> Iterator[tuple[str, Mapping[str, Operations]]]:
    """Yield what each machine does for each line, as far as it tells."""
    for name in problem.truths:
        model = None if name == DIFFERENCES else registry.backend(name).model(spec, "float64")
        if isinstance(model, TellsOperations):
            yield name, model.operations(problem.params, batch)


def _line(
    name: str,
    formula: Line | None,
    codes: tuple[Statements, Statements],
    sources: Sources,
    params: Params,
    machine: Machine,
    entry: Followed | None,
) -> ExplainedLine:
    forward_code, backward_code = (code.get(name, ()) for code in codes)
    return ExplainedLine(
        name=name,
        parameter=name in params,
        forward=formula.forward if formula else "",
        backward=formula.backward if formula else "",
        why=formula.why if formula else "",
        forward_code=forward_code,
        backward_code=backward_code,
        value=comparisons.parameter(params[name]) if name in params else comparisons.value(sources, name),
        gradient=comparisons.gradient(sources, name),
        machine={backend: lines[name] for backend, lines in machine.items() if name in lines},
        followed=entry,
    )


def _followed(forward: ForwardLines, order: Sequence[str], by_hand: Mapping[str, np.ndarray]) -> dict[str, Followed]:
    """Follow an entry of each name; none where the user's forward pass does not run on other numbers."""
    try:
        return followed(forward, order, by_hand)
    except UsageError:
        return {}


def _weights(sources: Sources, places: Mapping[str, tuple[int, ...]]) -> tuple[AlongWeight, ...]:
    return along_weights(sources.slopes.loss, sources.first.gradients, places) if places else ()


def _reads(values: Iterable[str], machine: Machine) -> dict[str, tuple[str, ...]]:
    """Return what each value is computed from, as any of the machines tells."""
    told = {name: [lines[name].reads for lines in machine.values() if name in lines] for name in values}
    return {name: tuple(dict.fromkeys(chain.from_iterable(reads))) for name, reads in told.items()}


def _remarks() -> Iterator[str]:
    for name in registry.DEFAULT:
        missing = registry.availability(name)
        if missing.backend is None:
            yield f"no column {name}: {missing.problem}" + (f", run  {missing.install}" if missing.install else "")
