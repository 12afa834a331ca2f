"""A plain function and its hand-written backward rule (VJP), on arrays of NumPy, JAX or PyTorch."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity import differences
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity.parity.report import Row
from gradparity.protocol import Batch, Trace
from gradparity.subjects.pairs.arguments import Arguments, Arrays, arranged_like, draw_upstream, name_of, read, to_numpy
from gradparity.subjects.pairs.compare import compare, reason
from gradparity.subjects.pairs.differentiate import by_compiled_jax, by_torch, require_unchanged
from gradparity.subjects.pairs.evaluate import evaluate, precise, to_library
from gradparity.subjects.pairs.report import PairReport

WITNESSES: dict[str, Callable[..., Trace]] = {"jax": by_compiled_jax, "torch": by_torch}


def check_vjp(f: Callable[..., Any], vjp: Callable[..., Any], *arguments: Any, seed: int = 0) -> PairReport:
    """Check ``vjp(*arguments, dy)`` against autodiff of ``f(*arguments)``, and against differences of it.

    ``f`` returns an array, or a tuple or dict of arrays; ``dy``, the upstream gradient, is arranged alike. ``vjp``
    returns one gradient per argument, None for an argument without one. Both run in float64 on arrays of the library
    whose arrays the arguments are; ``f`` should be written for that library, or in array-API style for all of them.

    JAX and PyTorch are witnesses where they are installed and ``f`` runs on their arrays; differences of ``f``
    along random directions always are. Real arrays are checked, other arguments are passed as they are.
    Raises UsageError for arguments or outputs that cannot be checked, and what ``f`` or ``vjp`` themselves raise.
    """
    given = read(f, arguments)
    rng = np.random.default_rng(seed)
    values = evaluate(f, given, given.real)
    upstream = draw_upstream(values, rng)
    gradients = _by_hand(f, vjp, given, upstream)

    rows: list[Row] = []
    notes = list(given.notes)
    for witness, differentiate in WITNESSES.items():
        if find_spec(witness) is None:
            continue
        try:
            truth = differentiate(f, given, upstream)
        except Exception as error:  # f need not be written for every library
            notes.append(f"{witness} is no witness, for f does not run on its arrays: {reason(error)}")
            continue
        problem = _not_the_same(values, truth)
        if problem:
            notes.append(f"{witness} is no witness: {problem}")
            continue
        rows += _against_autodiff(name_of(vjp), witness, gradients, truth, upstream)
    rows += _against_differences(name_of(vjp), f, given, upstream, gradients, rng, notes)
    return PairReport(name_of(f), tuple(rows), tuple(notes))


def _by_hand(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays
) -> dict[str, np.ndarray | None]:
    with precise():
        native = to_library(given)
        xs = {name: native(x) for name, x in given.real.items()}
        dy = {name: native(g) for name, g in upstream.items()}
        y = f(*given.filled(xs, native))
        returned = vjp(*given.filled(xs, native), arranged_like(y, dy))
        require_unchanged(name_of(vjp), given.real, xs, "float64")
        require_unchanged(name_of(vjp), upstream, dy, "float64", "the upstream gradient of ")
    gradients = returned if isinstance(returned, tuple | list) else (returned,)
    if len(gradients) != len(given.names):
        raise UsageError(
            f"{name_of(vjp)} must return one gradient per argument, ({', '.join(f'd{name}' for name in given.names)}), "
            f"got {len(gradients)}: return None for an argument without a gradient"
        )
    named = zip(given.names, gradients, strict=True)
    return {name: None if g is None else to_numpy(g) for name, g in named if name in given.real}


def _not_the_same(values: Arrays, truth: Trace) -> str:
    """Say why a witness cannot judge: it computed something else, or its own gradient is not a number."""
    for name, value in values.items():
        error = relative_error(truth.values[name], value)
        if not error <= FLOAT64_LIMIT:
            return f"f gives another {name} on its arrays (relative error {error:.1e})"
    for name, gradient in truth.gradients.items():
        if not np.isfinite(gradient).all():
            return f"its own gradient of {name} is NaN or infinite"
    return ""


def _against_autodiff(
    subject: str, witness: str, gradients: Mapping[str, np.ndarray | None], truth: Trace, upstream: Arrays
) -> list[Row]:
    zero = {name: np.zeros_like(g) for name, g in truth.gradients.items() if not g.any()}
    found = {**zero, **{name: g for name, g in gradients.items() if g is not None}}
    rows = compare(subject, witness, Trace(truth.values, found), truth, upstream)
    return [
        replace(row, note="None, but f depends on it") if row.line not in found else row
        for row in rows
        if row.kind == "gradient"
    ]


def _against_differences(
    subject: str,
    f: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    gradients: Mapping[str, np.ndarray | None],
    rng: np.random.Generator,
    notes: list[str],
) -> list[Row]:
    def forward(real: Mapping[str, np.ndarray], _: Batch, c: Any) -> None:
        y = evaluate(f, given, real)
        c["loss"] = sum(np.sum(upstream[name] * value) for name, value in y.items())

    rows = []
    for name, measured in differences.measure(forward, given.real, Batch(None, None), rng, {}).items():
        x, g = given.real[name], gradients[name]
        if not measured.directions:
            notes.append(f"differences say nothing about {name}: f has a kink too near these arguments")
            continue
        found = differences.compare(measured, np.zeros_like(x) if g is None else g)
        note = f"shape {g.shape}, should be {x.shape}" if g is not None and g.shape != x.shape else ""
        rows.append(Row(name, "gradient", subject, measured.method, "float64", found.error, found.limit, note))
    return rows
