"""Models as subjects: a spec, a built-in model's name, a file, or whatever declares a model of one's own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError, require_some
from gradparity.inputs import independent, require_batch, require_whole
from gradparity.parity.beside import run_beside
from gradparity.parity.diagnosis.rerun import Rule
from gradparity.parity.examine import examine
from gradparity.parity.judge import require_rtol
from gradparity.parity.kinks import kinks_of
from gradparity.parity.problem import LANES, Problem, Subject, draw, given_in, of_params
from gradparity.parity.report import Report
from gradparity.parity.rows import Unchecked
from gradparity.protocol import Backend, Batch, Dtype, HandDerivation, HandWrittenSpec, Model, ModelSpec, Params, Trace
from gradparity.subjects.curvature import with_curvature
from gradparity.subjects.gradient_lines import editable
from gradparity.subjects.model_file import UserModel, adopt, is_file, load, preflight
from gradparity.subjects.model_file.source import calling_line
from gradparity.subjects.second_derivative import require_order
from gradparity.subjects.smallest_case import of_model_file
from gradparity.subjects.trial import in_words, sound_models
from gradparity.subjects.witnesses import model_by_hand, what_is_known


def check(
    model: Any,
    *,
    backends: Sequence[str] | None = None,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] | None = None,
    rtol: float = 0.0,
    order: int = 1,
) -> Report:
    """Compare every named value and gradient of a model, derived by hand and by machine, at random parameters.

    ``model`` is a spec, the name of a built-in model, a file (``my_model.py`` or ``my_model.py:Name``), or a module,
    class, instance or dict that declares a model as docs/your-own-model.md says. ``backends`` are by default NumPy and
    those of JAX and PyTorch that are installed; each that differentiates by machine is a witness for all the others,
    and where none is chosen, an installed one is taken; where none is installed, differences of the loss are the
    witness. Without a ``batch``, n random examples are drawn. ``lanes`` are by default float64 and float32, and float64
    alone, with a remark, where a file makes float64 of float32. A relative error below ``rtol`` agrees whatever the
    limit is. With ``order=2`` Hessian-vector products are compared too: how each gradient changes along
    a random direction. Raises UsageError for a model that cannot be checked.
    """
    require_order(order)
    spec = spec_of(model)
    with in_words(spec):
        problem = pose(spec, backends=backends, batch=batch, n=n, seed=seed, lanes=lanes, rtol=rtol)
        report = examine(problem, seed)
        if isinstance(spec, UserModel) and problem.truths:
            report = of_model_file(report, problem)
        if order == 1:
            return report
        models = {name: registry.backend(name).model(spec, "float64") for name in report.backends}
        return with_curvature(report, problem, models)


def spec_of(model: Any, settings: Sequence[str] = ()) -> ModelSpec:
    """Return the spec of anything that ``check`` takes. ``settings``, name=value each, are for built-in models only."""
    if isinstance(model, str | Path) and not is_file(str(model)):
        from gradparity.models import default_spec

        return default_spec(str(model), settings)
    if isinstance(model, str | Path):
        return user_model(str(model), settings)
    if settings:
        raise UsageError(f"settings are for built-in models, got {settings[0]}: set it where the model is made")
    if isinstance(model, ModelSpec):
        return model() if isinstance(model, type) else model
    return adopt(model)


def user_model(file: str, settings: Sequence[str] = ()) -> UserModel:
    """Return the model in a file. Raises UsageError, for settings too, which are for built-in models only."""
    if settings:
        raise UsageError(f"settings are for built-in models, got {settings[0]} for '{file}': set it in the file")
    return load(file)


def pose(
    spec: ModelSpec,
    *,
    backends: Sequence[str] | None = None,
    batch: Batch | None = None,
    n: int = 11,
    seed: int = 0,
    lanes: Sequence[Dtype] | None = None,
    rtol: float = 0.0,
    differences: bool = True,
) -> Problem:
    """Draw parameters and examples, trace the witnesses there, and measure what rounding does.

    Without ``differences`` the loss itself is not asked. Raises UsageError as ``check`` does.
    """
    names = registry.installed() if backends is None else backends
    require_some("backends", names, registry.names())
    if lanes is not None:
        require_some("lanes", lanes, LANES)
    require_rtol(rtol)
    require_whole("n", n, 1)
    require_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    params, batch = draw(spec, rng, n, None if batch is None else require_batch(spec, batch))
    lanes, alone = _lanes(spec, params, batch, lanes)
    # A file may be written for NumPy alone: nobody asked for the machines by name, and differences do without them.
    spare = [name for name in names if name != "numpy"] if backends is None and isinstance(spec, UserModel) else ()
    chosen, models, failed = sound_models(dict.fromkeys(names), spec, params, batch, lanes, spare=spare)
    spared = {name: failed.pop(name) for name in spare if name in failed}
    machines_here = [b for b in registry.machines_among(chosen) if b.name not in spared]
    witnesses = [b for b in machines_here if b in chosen or _has(b, spec)]
    models |= {b.name: partial(b.model, spec) for b in witnesses if b not in chosen}
    by_hand, kinks = model_by_hand(chosen, models), kinks_of(spec)
    hand = None if by_hand is None else by_hand.derivation
    machines = {b.name: models[b.name]("float64") for b in witnesses}
    seen = what_is_known(spec, machines, by_hand, params, batch, kinks, independent(seed, "directions"), differences)
    for name, why in seen.refuted.items():
        (spared if name in spare else failed)[name] = why
    chosen = [b for b in chosen if b.name not in seen.refuted]
    problem = Problem(
        name=spec.name,
        params=params,
        given=given_in(batch),
        n=len(batch.x),
        truths=seen.truths,
        budgets=seen.budgets(params, batch, rng) if "float32" in lanes else {},
        subjects=tuple(subject(b, models[b.name], spec, params, batch, kinks, seen.truths.get(b.name)) for b in chosen),
        lanes=tuple(lanes),
        kinks=kinks,
        hand=hand,
        batch=batch,
        measured=seen.measured,
        remarks=(*alone, *(f"{name} is no witness: {why}" for name, why in spared.items()), *seen.remarks),
        unchecked=(*starmap(_not_run, failed.items()), *_without_hand(spec, chosen)),
        rtol=rtol,
        rule=partial(_rule, spec, hand, chosen, params, batch),
    )
    if not isinstance(spec, UserModel):
        return problem
    again = partial(
        pose, spec, backends=backends, batch=batch, n=n, seed=seed, lanes=lanes, rtol=rtol, differences=differences
    )
    return replace(
        problem,
        optional=frozenset(problem.first.values if seen.truths else ()) - {"loss"},
        code=(spec.hand.forward, spec.hand.backward),
        values=lambda: _values(spec, params, batch),
        again=again,
    )


def _lanes(
    spec: ModelSpec, params: Params, batch: Batch, lanes: Sequence[Dtype] | None
) -> tuple[Sequence[Dtype], tuple[str, ...]]:
    """Return the lanes that a model is compared in, and what is to be said of them. A user's own is tried first."""
    asked = lanes or LANES
    if isinstance(spec, UserModel):
        try:
            preflight(spec, params, batch, asked)
        except UsageError as error:
            if lanes is not None:
                raise
            preflight(spec, params, batch, ("float64",))
            return ("float64",), (f"float32 is not compared: {error}",)
    return asked, ()


def _values(spec: UserModel, params: Params, batch: Batch) -> dict[str, np.ndarray]:
    c: dict[str, Any] = {}
    spec.hand.forward(params, batch, c)
    return {name: np.asarray(value) for name, value in c.items()}


def _rule(
    spec: ModelSpec, hand: HandDerivation | None, chosen: Sequence[Backend], params: Params, batch: Batch
) -> Rule | None:
    """Return a model file's backward pass as what may be edited and run again on NumPy's arrays."""
    if hand is None or not isinstance(spec, UserModel):
        return None
    numpy = next(b for b in chosen if b.library == "numpy" and b.differentiation == "hand")
    run = partial(run_beside, hand, numpy, "float64", params, batch)
    return editable(spec.hand.backward, lambda truth: run(truth).gradients, partial(_values, spec, params, batch))


def _has(backend: Backend, spec: ModelSpec) -> bool:
    """Whether a backend that nobody chose has the model, to be a witness."""
    try:
        backend.model(spec, "float64")
    except UsageError:
        return False
    return True


def _not_run(backend: str, reason: str) -> Unchecked:
    return Unchecked("every line", backend, reason)


def _without_hand(spec: ModelSpec, chosen: Sequence[Backend]) -> Iterator[Unchecked]:
    """Say where a derivation that the spec brings itself is run by none of the backends."""
    if isinstance(spec, HandWrittenSpec) and not any(b.differentiation == "hand" for b in chosen):
        yield Unchecked("the hand derivation", spec.name, "none of these backends runs it: add numpy")


def _line_of(hand: HandDerivation, symbol: str) -> str:
    return calling_line(hand.forward if symbol == "c" else hand.backward)


def subject(
    backend: Backend,
    model_in: Callable[[Dtype], Model],
    spec: ModelSpec,
    params: Params,
    batch: Batch,
    kinks: Sequence[str] | Any,
    known: Trace | None,
) -> Subject:
    """Return a backend's model as what is checked; ``known`` is its trace in float64, where it is a witness."""

    def chain(lane: Dtype) -> Trace:
        model = model_in(lane)
        if lane == "float64":
            trace = known or own_chain(model, params, batch, kinks)
            return with_training_gradients(backend, model, trace, params, batch)
        return own_chain(model, params, batch, kinks)

    def beside(lane: Dtype, truth: Trace) -> Any:
        hand = model_in(lane).derivation
        if hand is None:
            raise UsageError(
                f"backend '{backend.name}' derives by hand: its ModelFunctions need a derivation, got none"
            )
        locate = partial(_line_of, spec.hand) if isinstance(spec, UserModel) else None
        return run_beside(hand, backend, lane, params, batch, truth, locate)

    return Subject(backend.name, chain, beside if backend.differentiation == "hand" else None)


def own_chain(model: Model, params: Params, batch: Batch, kinks: Any) -> Trace:
    """Return a model's trace; of a hand derivation no more than is compared, for large models fill the memory."""
    trace = model.trace(params, batch)
    if model.derivation is None:
        return trace
    values = {name: value for name, value in trace.values.items() if name in kinks}
    return Trace(values, of_params(trace, params))


def with_training_gradients(backend: Backend, model: Model, trace: Trace, params: Params, batch: Batch) -> Trace:
    """Put what training takes, the answer of ``value_and_grad``, in the place of what the trace tells of it."""
    loss, gradients = model.value_and_grad(params, batch)
    told = {name: backend.to_numpy(loss) if name == "loss" else value for name, value in trace.values.items()}
    kept = {name: gradient for name, gradient in trace.gradients.items() if name not in params}
    return Trace(told, kept | {name: backend.to_numpy(gradient) for name, gradient in gradients.items()})
