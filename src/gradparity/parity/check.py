"""The check: every named value and gradient of every backend against an independent witness, line by line.

Two lanes. float64 is for the mathematics: a relative error above 1e-10 is a wrong formula. float32 is for the
implementation: the error against the float64 truth must stay within a budget measured on the same numbers.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.parity.budget import error_budgets
from gradparity.parity.differences import ALL, Measurement, flat, measure, measure_jointly
from gradparity.parity.judge import Judge
from gradparity.parity.kinks import Kinks, census, kinks_of
from gradparity.parity.lines import compare_differences, compare_lines, with_masks_pinned
from gradparity.parity.report import Report, Row
from gradparity.parity.rows import DIFFERENCES
from gradparity.protocol import Backend, Batch, Dtype, HandDerivation, Model, ModelSpec, Params, Trace
from gradparity.subjects.model_file import UserModel, preflight

LANES: tuple[Dtype, ...] = ("float64", "float32")

LARGE = 2e8
"""Floating-point operations of a training step above which the differences take all parameters at once."""


def check(
    spec: ModelSpec,
    *,
    backends: Sequence[str] = registry.DEFAULT,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] = LANES,
) -> Report:
    """Compare the backends on ``spec`` at random parameters and, unless a batch is given, n random examples.

    Every backend that differentiates by machine is a witness for all the others; where none of them is chosen, an
    installed one is taken. Raises UsageError where there is none, or where a backend has no such model.
    """
    rng = np.random.default_rng(seed)
    params = {name: representable(p) for name, p in draw_params(spec, rng).items()}
    batch = (batch if batch is not None else spec.example_batch(rng, n)).map(representable)
    if isinstance(spec, UserModel):
        preflight(spec, params, batch, lanes)
    subjects = [registry.backend(name) for name in dict.fromkeys(backends)]
    witnesses = witnesses_among(subjects)

    hand = _hand_derivation(subjects, spec)
    kinks = kinks_of(spec)
    large = spec.flops(len(batch.x)) > LARGE
    differences = measure_jointly if large else measure
    measured = {} if hand is None else differences(hand.forward, params, batch, np.random.default_rng(seed), kinks)
    exact = {w.name: w.model(spec, "float64") for w in witnesses}
    truths = {name: _in_order(model.trace(params, batch), spec) for name, model in exact.items()}
    first = witnesses[0].name
    budgets = error_budgets(exact[first], truths[first], params, batch, rng) if "float32" in lanes else {}
    rows: list[Row] = []
    for lane in lanes:
        for subject in subjects:
            model = subject.model(spec, lane)
            known = truths.get(subject.name) if lane == "float64" else None
            trace = _own_chain(model, params, batch, kinks) if known is None else known
            for witness, truth in truths.items():
                if witness == subject.name:
                    continue
                judge = Judge(subject.name, witness, lane, truth, budgets)
                own = compare_lines(judge, subject, model, trace, params, batch)
                rows += with_masks_pinned(own, judge, kinks, model, trace, hand, params, batch)
            if lane == "float64":
                whole = {name: trace.gradients[name] for name in params if name in trace.gradients}
                if large:
                    whole = {ALL: flat(whole, params)} if whole.keys() == params.keys() else {}
                rows += compare_differences(measured, subject.name, "whole gradient", whole)
                if model.derivation is None:
                    lines = {name: g for name, g in trace.gradients.items() if name not in params}
                    rows += compare_differences(measured, subject.name, "gradient", lines)
    return Report(
        model=spec.name,
        n=len(batch.x),
        seed=seed,
        backends=tuple(s.name for s in subjects),
        witnesses=(*truths, *([DIFFERENCES] if measured else [])),
        rows=tuple(rows),
        remarks=tuple(_remarks(measured, rows, kinks, truths[first])),
    )


def _own_chain(model: Model, params: Params, batch: Batch, kinks: Kinks) -> Trace:
    """Return a backend's trace; of a hand derivation no more than is compared, for large models fill the memory."""
    trace = model.trace(params, batch)
    if model.derivation is None:
        return trace
    gradients = {name: trace.gradients[name] for name in params if name in trace.gradients}
    return Trace({name: value for name, value in trace.values.items() if name in kinks}, gradients)


def draw_params(spec: ModelSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw parameters that hide no error: none is zero, and activations keep the size of the inputs."""
    own = spec.init(rng) if isinstance(spec, UserModel) else {}
    return {
        name: own[name]
        if np.any(own.get(name, 0))
        else rng.normal(0, 1 / np.sqrt(shape[0]) if len(shape) > 1 else 0.5, shape)
        for name, shape in spec.param_shapes.items()
    }


def _hand_derivation(subjects: Sequence[Backend], spec: ModelSpec) -> HandDerivation | None:
    """Return the derivation of the first chosen backend that runs one on NumPy arrays."""
    for subject in subjects:
        if subject.library == "numpy" and subject.differentiation == "hand":
            return subject.model(spec, "float64").derivation
    return None


def _remarks(measured: Mapping[str, Measurement], rows: Sequence[Row], kinks: Kinks, truth: Trace) -> Iterator[str]:
    """Say how the differences were taken, and how near the numbers came to a kink."""
    methods = sorted({m.method for m in measured.values()})
    if methods:
        yield f"differences: no autodiff, the loss along random directions by {' and '.join(methods)}"
    slopes = [row.slope for row in rows if row.slope is not None]
    if slopes:
        yield f"Taylor test: remainders fall as h^{min(slopes):.2f} or faster; 2 is right, 1 is wrong"
    given_up = [name for name, m in measured.items() if not m.directions]
    if given_up:
        yield f"differences: {', '.join(given_up)} not measured, for the loss has no derivative at a kink"
    for count in census(kinks, truth.values):
        if count.at or count.near:
            yield (
                f"kinks: of {count.decisions} entries of {count.line}, {count.at} are at the {count.kink}'s kink, "
                f"{count.near} near"
            )


def _in_order(trace: Trace, spec: ModelSpec) -> Trace:
    """Put the gradients in the order of the derivation; names that it does not have come last."""
    names = [line.name for line in spec.derivation if line.name in trace.gradients]
    declared = (*spec.param_shapes, *trace.values)
    names += [name for name in declared if name in trace.gradients and name not in names]
    return Trace(trace.values, {name: trace.gradients[name] for name in names})


def representable(a: np.ndarray) -> np.ndarray:
    """Round to float32 and back, so that both lanes see the same numbers."""
    return a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a


def witnesses_among(subjects: Sequence[Backend]) -> list[Backend]:
    """Return those that differentiate by machine; where none does, one that is installed. Raises UsageError."""
    chosen = [s for s in subjects if s.differentiation == "machine"]
    if chosen:
        return chosen
    loaded = [registry.availability(name).backend for name in registry.names()]
    installed = [b for b in loaded if b is not None and b.differentiation == "machine"]
    if not installed:
        raise UsageError(
            "a check needs a backend that differentiates by machine, and none is installed: "
            "run  pip install 'gradparity[jax]'  or  pip install 'gradparity[torch]'"
        )
    return installed[:1]
