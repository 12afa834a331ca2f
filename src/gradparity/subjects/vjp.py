"""A plain function and its hand-written backward rule (VJP), on arrays of NumPy, JAX or PyTorch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.differences import LossMeasurement, measure
from gradparity.parity.examine import examine
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import norm, relative_error
from gradparity.parity.probes import probed
from gradparity.parity.problem import Probes, Problem
from gradparity.parity.report import Report
from gradparity.protocol import Array, Batch, Trace
from gradparity.subjects.arguments import (
    Arguments,
    Arrays,
    arranged_like,
    as_numpy,
    draw_upstream,
    leaves_of,
    name_of,
    read,
)
from gradparity.subjects.backward_rule import posed, reason
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.jacobian import is_small, with_jacobian
from gradparity.subjects.machines import (
    by_compiled_jax,
    by_jax,
    by_torch,
    evaluate,
    evaluate_twice,
    in_float64,
    require_unchanged,
    to_library,
)
from gradparity.subjects.second_derivative import (
    GRADIENTS,
    and_twice,
    posed_by_differences,
    posed_twice,
    real_leaves,
    require_order,
    truth_of,
    upstream_of_gradients,
    with_upstream,
)

WITNESSES: dict[str, Callable[..., Trace]] = {"jax": by_compiled_jax, "torch": by_torch}

UNCOMPILED: dict[str, Callable[..., Trace]] = {"torch": by_torch, "jax": by_jax}
"""What is quick for a few calls, the quickest first."""


def check_vjp(f: Callable[..., Any], vjp: Callable[..., Any], *arguments: Any, seed: int = 0, order: int = 1) -> Report:
    """Check ``vjp(*arguments, dy)`` against autodiff of ``f(*arguments)``, and against differences of it.

    Arguments and what ``f`` returns are arrays or trees of them (dicts, tuples, lists); ``dy``, the upstream gradient,
    is arranged like the latter, with None for an output of whole numbers. ``vjp`` returns one gradient per argument,
    arranged like it, None for what has none. Both run in float64 on arrays of the library
    whose arrays the arguments are; ``f`` should be written for that library, or in array-API style for all of them.

    JAX and PyTorch are witnesses where they are installed and ``f`` runs on their arrays; differences of ``f``
    along random directions always are. With ``order=2`` the derivative of ``vjp`` is compared with that of the rule
    which a machine makes of ``f``: differentiated by the arguments' library, for NumPy's arrays by differences.
    Real arrays are checked, other arguments are passed as they are.
    Raises UsageError for arguments or outputs that cannot be checked, and what ``f`` or ``vjp`` themselves raise.
    """
    require_order(order)
    given = read(f, arguments)
    rng = np.random.default_rng(seed)
    values = evaluate_twice(f, given)
    upstream = draw_upstream(values, rng)
    gradients, notes = _by_hand(f, vjp, given, upstream)
    given = given.with_real_floats([name for name in gradients if name not in given.real])
    notes = [*given.notes, *notes]
    truths = dict(_witnesses(f, given, values, upstream, notes))
    problem = posed(
        name_of(f),
        name_of(vjp),
        lambda: Trace(values, gradients),
        given,
        upstream,
        truths,
        own_forward=False,
        measured=_measured(f, given, upstream, rng),
        probes=cache(partial(_probes, f, given, values, upstream, seed)),
        remarks=notes,
    )
    again = editable(vjp, lambda _: _by_hand(f, vjp, given, upstream)[0], lambda: evaluate(f, given, given.real))
    report = examine(replace(located(problem, vjp, given.names, f), rule=again), seed)
    report = _with_jacobian(report, f, vjp, given, upstream)
    return report if order == 1 else and_twice(report, given.library, lambda: _twice(f, vjp, given, upstream, rng))


def _with_jacobian(
    report: Report, f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays
) -> Report:
    """Add what each output alone tells, where that is cheap and a machine can say what is right."""
    witness = next((name for name in UNCOMPILED if name in report.witnesses), None)
    if witness is None or not is_small(upstream, given.real):
        return report
    return with_jacobian(
        report,
        f"{name_of(vjp)} for one output alone",
        lambda dy: _by_hand(f, vjp, given, dy)[0],
        witness,
        lambda dy: UNCOMPILED[witness](f, given, dy).gradients,
        upstream,
        given.real,
    )


def _twice(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays, rng: np.random.Generator
) -> Problem:
    name = name_of(vjp)

    def rule(*arguments: Any) -> dict[str, Array]:
        found = zip(given.names, _per_argument(vjp, given, vjp(*arguments)), strict=True)
        leaves = {path: leaf for argument, g in found for path, leaf in leaves_of(argument, g).items()}
        real = real_leaves(given, arguments[:-1])
        return {path: x * 0 if leaves.get(path) is None else leaves[path] for path, x in real.items()}

    if given.library != "numpy":
        return posed_twice(name, WITNESSES[given.library], rule, f, given, upstream, rng)
    both, upstream = with_upstream(f, given, upstream), upstream_of_gradients(given, rng)
    reasons = ["neither JAX nor PyTorch is installed"]
    for library in filter(find_spec, WITNESSES):
        try:
            truth = truth_of(WITNESSES[library], GRADIENTS[library](f, given), both, upstream)
        except UsageError as error:
            reasons.append(str(error))
            continue
        return posed_by_differences(name, truth, both, upstream, _measured(rule, both, upstream, rng))
    raise UsageError(reasons[-1])


def _by_hand(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays
) -> tuple[Arrays, list[str]]:
    """Return the gradients that the rule gives, by path, and what is to be said besides.

    An array for which it gives None is absent; a Python float for which it gives something is there.
    """
    with in_float64():
        native = to_library(given)
        xs = {path: native(x) for path, x in given.real.items()}
        dy = {path: native(g) for path, g in upstream.items()}
        y = f(*given.filled(xs, native))
        returned = vjp(*given.filled(xs, native), arranged_like(y, dy))
        require_unchanged(name_of(vjp), given.real, xs, "float64")
    notes = [
        f"{name_of(vjp)} changes the upstream gradient of {path} in place: a caller that still needs it gets another"
        for path, g in upstream.items()
        if not np.array_equal(as_numpy(dy[path]), g)
    ]
    gradients: Arrays = {}
    for name, value, gradient in zip(given.names, given.values, _per_argument(vjp, given, returned), strict=True):
        known = leaves_of(name, value)
        for path, leaf in ({} if gradient is None else leaves_of(name, gradient)).items():
            if leaf is not None and path not in known:
                raise UsageError(
                    f"{name_of(vjp)} returns a gradient of {path}, and there is no such argument: arrange the gradient "
                    f"of {name} like {name} itself, {', '.join(known)}"
                )
            if leaf is not None and (path in given.real or isinstance(known[path], float)):
                gradients[path] = as_numpy(leaf)
    return gradients, notes


def _per_argument(vjp: Callable[..., Any], given: Arguments, returned: Any) -> Sequence[Any]:
    """Return one gradient, or a tree of them, for each argument. Raises UsageError for another number."""
    one_tree = len(given.names) == 1 and isinstance(given.values[0], tuple | list)
    alone = one_tree and not (isinstance(returned, tuple) and len(returned) == 1)
    gradients = returned if isinstance(returned, tuple | list) and not alone else (returned,)
    if len(gradients) != len(given.names):
        raise UsageError(
            f"{name_of(vjp)} must return one gradient per argument, ({', '.join(f'd{name}' for name in given.names)}), "
            f"got {len(gradients)}: return None for an argument without a gradient"
        )
    return gradients


def _witnesses(
    f: Callable[..., Any], given: Arguments, values: Arrays, upstream: Arrays, notes: list[str]
) -> Iterator[tuple[str, Trace]]:
    """Yield the machines that can judge; of the others a note says why not."""
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
        else:
            yield witness, truth


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


def _measured(
    f: Callable[..., Any], given: Arguments, upstream: Arrays, rng: np.random.Generator
) -> dict[str, LossMeasurement]:
    def forward(real: Mapping[str, np.ndarray], _: Batch, c: Any) -> None:
        y = evaluate(f, given, real)
        c["loss"] = sum(np.sum(g * y[name]) for name, g in upstream.items())

    return measure(forward, given.real, Batch(None, None), rng, {})


def _probes(f: Callable[..., Any], given: Arguments, values: Arrays, upstream: Arrays, seed: int) -> Probes:
    """Measure the gradient of every real argument entry by entry, as far as that is possible."""

    def loss(change: Mapping[str, Array]) -> Array:
        y = evaluate(f, given, {name: x + change[name] if name in change else x for name, x in given.real.items()})
        return sum(np.sum(g * y[name]) for name, g in upstream.items())

    found = probed(loss, given.real, np.random.default_rng(seed)).gradients
    gradients = {name: each.gradient for name, each in found.items()}
    accuracy = {name: each.accuracy / (norm(each.gradient) or 1.0) for name, each in found.items()}
    return Probes(Trace(values, {**upstream, **gradients}), accuracy)
