"""The explanation of a model: its derivation run beside the machines' at random parameters, in float64."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from gradparity import checking, registry
from gradparity.errors import UsageError
from gradparity.explain import comparisons
from gradparity.explain.comparisons import Sources
from gradparity.explain.explanation import Edge, ExplainedLine, Explanation
from gradparity.explain.slopes import slopes
from gradparity.explain.statements import Statements, statements
from gradparity.parity.beside import run_beside
from gradparity.parity.check import draw_params, representable, witnesses_among
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import kinks_of
from gradparity.parity.lines import compare_lines
from gradparity.protocol import Backend, Batch, HandDerivation, Line, ModelSpec, Operations, Params
from gradparity.recording import forward_order
from gradparity.runtime import TellsOperations
from gradparity.subjects.model_file import UserModel, explaining_autograd, preflight

Machine: TypeAlias = Mapping[str, Mapping[str, Operations]]
"""Backend -> line -> operations."""


def build(model: Any, *, batch: Batch | None, n: int, seed: int) -> Explanation:
    """Do what ``gradparity.explain.explain`` says."""
    spec = checking.spec_of(model)
    rng = np.random.default_rng(seed)
    params = {name: representable(p) for name, p in draw_params(spec, rng).items()}
    drawn = (spec.example_batch(rng, n) if batch is None else batch).map(lambda a: representable(np.asarray(a)))
    if isinstance(spec, UserModel):
        preflight(spec, params, drawn, ["float64"])
    of_user = explaining_autograd(spec.hand.forward) if isinstance(spec, UserModel) else nullcontext()
    with of_user:
        return _build(spec, params, drawn, seed)


def _build(spec: ModelSpec, params: Params, batch: Batch, seed: int) -> Explanation:
    chosen = [registry.backend(name) for name in checking.installed()]
    witnesses = {w.name: w.model(spec, "float64") for w in witnesses_among(chosen)}
    subject, hand = _by_hand(chosen, spec)
    truths = {name: model.trace(params, batch) for name, model in witnesses.items()}
    first = next(iter(truths.values()))
    c, d = run_beside(hand, subject, "float64", params, batch, first)
    judges = [Judge(subject.name, witness, "float64", truth, {}) for witness, truth in truths.items()]
    model = subject.model(spec, "float64")
    sources = Sources(
        c={name: subject.to_numpy(array) for name, array in c.written().items()},
        d={name: subject.to_numpy(array) for name, array in d.written().items()},
        truths=truths,
        rows=[row for judge in judges for row in compare_lines(judge, subject, model, judge.truth, params, batch)],
        slopes=slopes(hand.forward, params, batch, kinks_of(spec), np.random.default_rng(seed)),
    )
    machine = {
        name: model.operations(params, batch) for name, model in witnesses.items() if isinstance(model, TellsOperations)
    }
    reads = _reads(first.values, machine)
    formulas = {line.name: line for line in spec.derivation}
    order = list(formulas) or forward_order(reads, params)
    codes = statements(hand, params, batch)
    return Explanation(
        model=spec.name,
        n=len(batch.x),
        seed=seed,
        witnesses=tuple(witnesses),
        lines=tuple(_line(name, formulas.get(name), codes, sources, params, machine) for name in order),
        edges=tuple(Edge(source, name) for name in order for source in reads.get(name, ())),
        inputs={"batch.x": batch.x.shape, "batch.y": batch.y.shape},
        remarks=tuple(_remarks()),
    )


def _line(
    name: str,
    formula: Line | None,
    codes: tuple[Statements, Statements],
    sources: Sources,
    params: Params,
    machine: Machine,
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
    )


def _by_hand(chosen: Sequence[Backend], spec: ModelSpec) -> tuple[Backend, HandDerivation]:
    """Return the backend that runs the hand derivation on NumPy arrays, and that derivation."""
    for backend in chosen:
        if backend.library == "numpy" and (hand := backend.model(spec, "float64").derivation) is not None:
            return backend, hand
    raise UsageError(f"{spec.name} has no hand derivation on NumPy arrays to explain: see  gradparity backends")


def _reads(values: Iterable[str], machine: Machine) -> dict[str, tuple[str, ...]]:
    """Return what each value is computed from, as any of the machines tells."""
    told = {name: [lines[name].reads for lines in machine.values() if name in lines] for name in values}
    return {name: tuple(dict.fromkeys(chain.from_iterable(reads))) for name, reads in told.items()}


def _remarks() -> Iterator[str]:
    for name in registry.DEFAULT:
        missing = registry.availability(name)
        if missing.backend is None:
            yield f"no column {name}: {missing.problem}" + (f", run  {missing.install}" if missing.install else "")
