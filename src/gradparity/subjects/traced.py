"""A trace in a file, so that a program in any language is compared line by line without running here.

``write`` puts a model's parameters, its batch, every named value and every named gradient into a safetensors file.
Another program reads the parameters and the batch, and writes what it computed under the same names; ``against`` says
which of its lines is wrong. Its chain is its own, so that one wrong gradient spoils those after it: therefore each line
is held against what the hand derivation makes of the numbers *that the file itself* holds for what the line reads.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradparity import registry, tensors
from gradparity.errors import UsageError
from gradparity.parity.beside import run_beside
from gradparity.parity.examine import examine
from gradparity.parity.judge import Judge
from gradparity.parity.problem import LANES, Problem, Subject, Written
from gradparity.parity.report import Report
from gradparity.parity.rows import Unchecked
from gradparity.protocol import Dtype, ModelSpec, Trace, in_dtype
from gradparity.subjects.specs import pose

WITNESS = "numpy"
Arrays = Mapping[str, np.ndarray]


def write(path: Path, spec: ModelSpec, *, n: int = 11, seed: int = 0, dtype: Dtype = "float64") -> None:
    """Write "params/W", "batch/x", "c/logits" and "d/logits", each name of the derivation, as the hand derives them.

    Raises UsageError for a model that has no derivation in NumPy, and for a file that cannot be written.
    """
    problem = _problem(spec, n, seed, dtype)
    trace = registry.backend(WITNESS).model(spec, dtype).trace(problem.params, problem.batch)
    arrays = {**_given(problem), **_under("c/", trace.values), **_under("d/", trace.gradients)}
    own = {name: in_dtype(array, dtype) for name, array in arrays.items()}
    tensors.write(path, own, {"model": spec.name, "n": str(n), "seed": str(seed)})


def against(path: Path, spec: ModelSpec, *, n: int = 11, seed: int = 0) -> Report:
    """Say which lines of the trace in a file are wrong, in the dtype that its gradients have.

    The gradient of every parameter must be there; of the other names, those that are. Parameters and batch are drawn
    from ``seed``, as ``write`` draws them. Raises UsageError for a file that is none, that holds other inputs or names
    that the model has not, or numbers that are neither float32 nor float64.
    """
    arrays, _ = tensors.read(path, "trace", "write one with  gradparity trace")
    lane = _lane(path, arrays)
    problem = _problem(spec, n, seed, lane)
    _require_inputs(path, arrays, _given(problem))
    file = Trace(_of("c/", arrays), _of("d/", arrays))
    backend = registry.backend(WITNESS)
    hand = backend.model(spec, "float64").derivation
    assert hand is not None  # _problem refuses this
    fed = run_beside(hand, backend, "float64", problem.params, problem.batch, _to_feed(file, problem))
    _require_known(path, file, fed)
    lines = Trace(_only(fed.values or {}, file.values), _only(fed.gradients, file.gradients))
    own = Written(file.values, file.gradients, fed.value_reads, fed.gradient_reads)
    asked = replace(
        problem,
        truths={"hand": lines},
        measured={},
        subjects=(Subject(path.name, beside=lambda *_: own),),
        unchecked=tuple(
            Unchecked(f"d[{name!r}]", path.name, f"the file has no 'd/{name}'")
            for name in problem.params
            if name not in file.gradients
        ),
        remarks=_left_out(path, file, fed),
    )
    report = examine(asked, seed)
    whole = [
        row
        for witness, truth in problem.truths.items()
        for row in Judge(path.name, witness, lane, truth, problem.budgets).rows(
            "whole gradient", file.gradients, _only(problem.params, file.gradients)
        )
    ]
    return replace(report, rows=(*report.rows, *whole), witnesses=(*report.witnesses, *problem.truths))


def _problem(spec: ModelSpec, n: int, seed: int, lane: Dtype) -> Problem:
    problem = pose(spec, backends=[WITNESS], n=n, seed=seed, lanes=[lane], differences=False)
    if problem.hand is None:
        raise UsageError(f"{spec.name}: a trace is held against the derivation in NumPy, and this model has none")
    return problem


def _to_feed(file: Trace, problem: Problem) -> Trace:
    """Return what each line reads: the file's own numbers where they have the right shape, else the witness's."""
    truth = problem.first

    def fitting(own: Arrays, true: Arrays) -> dict[str, np.ndarray]:
        return {name: a for name, a in own.items() if name in true and a.shape == true[name].shape}

    seeds = _only(truth.gradients, problem.seeds)
    return Trace(fitting(file.values, truth.values), {**seeds, **fitting(file.gradients, truth.gradients)})


def _given(problem: Problem) -> dict[str, np.ndarray]:
    batch = problem.batch
    extras = _under("batch/extras/", batch.extras)
    return {**_under("params/", problem.params), "batch/x": batch.x, "batch/y": batch.y, **extras}


def _under(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    return {prefix + name: array for name, array in arrays.items()}


def _of(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _only(arrays: Arrays, wanted: Collection[str]) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name in wanted}


def _lane(path: Path, arrays: Arrays) -> Dtype:
    dtypes = {str(array.dtype) for name, array in arrays.items() if name.startswith("d/")}
    for lane in LANES:
        if dtypes == {lane}:
            return lane
    raise UsageError(
        f"trace '{path}': its gradients, 'd/…', must all be float32 or all float64, got {', '.join(dtypes) or 'none'}"
    )


def _require_inputs(path: Path, arrays: Arrays, given: Arrays) -> None:
    """Refuse a trace of other parameters or another batch; a file need not repeat them."""
    for name, array in arrays.items():
        if name.startswith(("params/", "batch/")):
            if name not in given:
                raise UsageError(f"trace '{path}' holds '{name}': this model has {', '.join(given)}")
            if not np.array_equal(array, given[name]):
                raise UsageError(
                    f"trace '{path}' was made of another '{name}' than this check draws: "
                    "give the --seed, --batch-size and --set that it was written with"
                )
        elif not name.startswith(("c/", "d/")):
            raise UsageError(f"trace '{path}': a name must begin with params/, batch/, c/ or d/, got '{name}'")


def _require_known(path: Path, file: Trace, fed: Written) -> None:
    for symbol, found, known in (("c", file.values, fed.values or {}), ("d", file.gradients, fed.gradients)):
        for name in found:
            if name not in known and name != "loss":
                raise UsageError(
                    f"trace '{path}' holds '{symbol}/{name}', which the derivation does not name: "
                    f"it has {', '.join(known)}"
                )


def _left_out(path: Path, file: Trace, fed: Written) -> tuple[str, ...]:
    names = [f"c[{name!r}]" for name in fed.values or {} if name not in file.values]
    names += [f"d[{name!r}]" for name in fed.gradients if name not in file.gradients]
    return (f"{path.name} leaves out {', '.join(names)}",) if names else ()
