"""The check: every named value and gradient of every backend against an independent witness, line by line.

Two lanes. float64 is for the mathematics: a relative error above 1e-10 is a wrong formula. float32 is for the
implementation: the error against the float64 truth must stay within a budget measured on the same numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from gradparity import registry
from gradparity.cache import Recorder
from gradparity.errors import UsageError
from gradparity.parity.beside import run_beside
from gradparity.parity.budget import error_budgets
from gradparity.parity.diagnosis import diagnose, gather
from gradparity.parity.judge import Judge
from gradparity.parity.report import Report, Row
from gradparity.protocol import Backend, Batch, Dtype, Model, ModelSpec, Params, Trace
from gradparity.usermodel import UserModel, preflight

LANES: tuple[Dtype, ...] = ("float64", "float32")


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
    params = {name: _representable(p) for name, p in draw_params(spec, rng).items()}
    batch = Batch(*map(_representable, batch if batch is not None else spec.example_batch(rng, n)))
    if isinstance(spec, UserModel):
        preflight(spec, params, batch, lanes)
    subjects = [registry.backend(name) for name in dict.fromkeys(backends)]
    witnesses = _witnesses(subjects)

    truths = {w.name: w.model(spec, "float64").trace(params, batch) for w in witnesses}
    first = witnesses[0]
    budgets = error_budgets(first.model(spec, "float64"), truths[first.name], params, batch, rng)
    rows: list[Row] = []
    for lane in lanes:
        for subject in subjects:
            model = subject.model(spec, lane)
            for witness, truth in truths.items():
                if witness == subject.name:
                    continue
                judge = Judge(subject.name, witness, lane, _in_order(truth, spec), budgets)
                rows += _rows(judge, subject, model, params, batch)
    return Report(
        model=spec.name,
        n=len(batch.x),
        seed=seed,
        backends=tuple(s.name for s in subjects),
        witnesses=tuple(truths),
        rows=tuple(rows),
    )


def draw_params(spec: ModelSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw parameters that hide no error: none is zero, and activations keep the size of the inputs."""
    own = spec.init(rng) if isinstance(spec, UserModel) else {}
    return {
        name: own[name]
        if np.any(own.get(name, 0))
        else rng.normal(0, 1 / np.sqrt(shape[0]) if len(shape) > 1 else 0.5, shape)
        for name, shape in spec.param_shapes.items()
    }


def _rows(judge: Judge, subject: Backend, model: Model, params: Params, batch: Batch) -> list[Row]:
    """Compare each line, then the gradient that training uses: the one from the backend's own chain."""
    values, gradients = judge.truth.values, judge.truth.gradients
    trace = model.trace(params, batch)
    if model.derivation is None:
        lines = judge.rows("value", trace.values, values) + judge.rows("gradient", trace.gradients, gradients)
    else:
        c, d = run_beside(model.derivation, subject, judge.lane, params, batch, judge.truth)
        lines = _hand_rows(judge, "value", _numpy(subject, c), values, c.reads, params, batch)
        # dL/dL = 1 is where every backward pass starts: it is given, and a derivation need not write it.
        names = [name for name in gradients if name != "loss" or name in d]
        lines += _hand_rows(judge, "gradient", _numpy(subject, d), names, d.reads, params, batch)
    return lines + judge.rows("whole gradient", trace.gradients, params)


def _hand_rows(
    judge: Judge,
    kind: Literal["value", "gradient"],
    written: dict[str, np.ndarray],
    names: Iterable[str],
    reads: dict[str, tuple[str, ...]],
    params: Params,
    batch: Batch,
) -> list[Row]:
    """Compare the lines of a hand derivation, and say of each wrong one why."""

    def diagnosed(row: Row) -> Row:
        if row.agrees:
            return row
        evidence = gather(
            "c" if kind == "value" else "d",
            row.line,
            written.get(row.line),
            truth=judge.truth,
            params=params,
            batch=batch,
            reads=reads.get(row.line, ()),
            written=written,
            limit=row.limit,
            dtype=judge.lane,
        )
        return replace(row, diagnosis=diagnose(evidence))

    return [diagnosed(row) for row in judge.rows(kind, written, names, reads)]


def _in_order(trace: Trace, spec: ModelSpec) -> Trace:
    """Put the gradients in the order of the derivation; names that it does not have come last."""
    names = [line.name for line in spec.derivation if line.name in trace.gradients]
    names += [name for name in trace.gradients if name not in names]
    return Trace(trace.values, {name: trace.gradients[name] for name in names})


def _numpy(subject: Backend, recorder: Recorder) -> dict[str, np.ndarray]:
    return {name: subject.to_numpy(value) for name, value in recorder.written().items()}


def _representable(a: np.ndarray) -> np.ndarray:
    """Round to float32 and back, so that both lanes see the same numbers."""
    return a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a


def _witnesses(subjects: Sequence[Backend]) -> list[Backend]:
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
