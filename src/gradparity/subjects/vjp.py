"""A plain function and its hand-written backward rule (VJP), on arrays of NumPy, JAX or PyTorch."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.drawing.words import listing
from gradparity.errors import UsageError, ending_nothing
from gradparity.inputs import independent
from gradparity.parity.differences import LossMeasurement, measure
from gradparity.parity.examine import examine_ways
from gradparity.parity.norms import norm
from gradparity.parity.probes import probed
from gradparity.parity.problem import Probes, Problem
from gradparity.parity.report import Report
from gradparity.parity.rows import DIFFERENCES, Lane
from gradparity.protocol import Array, Batch, Trace
from gradparity.subjects.arguments import Arguments, Arrays, draw_upstream, leaves_of, name_of, read, require_callable
from gradparity.subjects.backward_rule import Differentiate, posed, posed_in_float32
from gradparity.subjects.by_hand import asked_for, by_hand, per_argument
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.jacobian import is_worth_it, with_jacobian
from gradparity.subjects.machines import (
    by_compiled_jax,
    by_jax,
    by_torch,
    evaluate,
    evaluate_twice,
    why_no_witness,
)
from gradparity.subjects.second_derivative import (
    GRADIENTS,
    Gradients,
    and_twice,
    posed_by_differences,
    posed_twice,
    real_leaves,
    require_order,
    truth_of,
    upstream_of_gradients,
    with_upstream,
)
from gradparity.subjects.short_lanes import by_autodiff, by_rule, in_short_lanes, short_of
from gradparity.subjects.smallest_case import of_rule

WITNESSES: dict[str, Callable[..., Trace]] = {"jax": by_compiled_jax, "torch": by_torch}

UNCOMPILED: dict[str, Callable[..., Trace]] = {"torch": by_torch, "jax": by_jax}
"""What is quick for a few calls, the quickest first."""


@ending_nothing()
def check_vjp(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    *arguments: Any,
    seed: int = 0,
    lanes: Sequence[Lane] = ("float64",),
    constant: Collection[str] | None = None,
    rtol: float = 0.0,
    order: int = 1,
) -> Report:
    """Check ``vjp(*arguments, dy)`` against autodiff of ``f(*arguments)``, and against differences of it.

    Arguments and what ``f`` returns are arrays or trees of them (dicts, tuples, lists); ``dy``, the upstream gradient,
    is arranged like the latter, with None for an output of whole numbers. ``vjp`` returns one gradient per argument,
    arranged like it, None for what has none. Both run on arrays of the library whose arrays the arguments are; ``f``
    should be written for that library, or in array-API style for all of them. What ``f`` or ``vjp`` change in place
    they change in copies, and a remark says so.

    JAX and PyTorch are witnesses where they are installed and ``f`` runs on their arrays; in float64, differences of
    ``f`` along random directions always are. Real arrays are checked, other arguments are passed as they are.
    ``constant`` names the arguments without a gradient, by default those for which ``vjp`` returns None. A relative
    error below ``rtol`` agrees whatever the limit is. ``lanes`` may ask for "float32" too; and, on arrays of JAX and
    PyTorch, for "bfloat16" and "float16": there the limit is 4 times the error of plain code, that is of ``f``
    differentiated in the same dtype, and a remark says what that comes to. With ``order=2`` the derivative of ``vjp``
    is compared with that of the rule which a machine makes of ``f``: differentiated by the arguments' library, for
    NumPy's arrays by differences. Raises UsageError for arguments or outputs that cannot be checked, and what ``f`` or
    ``vjp`` themselves raise.
    """
    require_order(order)
    short = short_of(lanes)
    require_callable("f", f, arguments)
    require_callable("vjp", vjp, arguments, "dy")
    given = read(f, arguments, constant)
    values, changes = evaluate_twice(f, given)
    upstream = draw_upstream(values, independent(seed, "upstream"))
    rule = by_hand(f, vjp, given, upstream)
    given, notes = asked_for(given, rule, name_of(vjp))
    notes += [f"{name_of(f)} changes {x} in place: a caller that still needs it finds other numbers" for x in changes]
    problem = partial(_posed, f, vjp, given, upstream, seed, rtol)
    ways = [problem(notes)] if "float64" in lanes else []
    if "float32" in lanes:
        ways += _in_float32(f, vjp, given, upstream, seed, rtol)
    ways = [located(way, vjp, given.names, f) for way in ways]
    if "float64" in lanes:
        again = editable(vjp, lambda _: by_hand(f, vjp, given, upstream).gradients, ways[0].values)
        ways[0] = replace(ways[0], rule=lambda: again)
    report = examine_ways(ways, seed, name_of(f))
    if "float64" in lanes:
        report = _with_jacobian(report, f, vjp, given, upstream, seed, rtol)
        witness = _quickest(report)
        if given.library == "numpy" and witness == "jax":  # which would compile every operation for every size
            witness = None
        wrong = {row.line for row in report.disagreements}
        right = partial(UNCOMPILED[witness], f) if witness else partial(_measured_right, f, seed, wrong)
        report = of_rule(report, f, _own(f, vjp), right, given, upstream, witness)
    rng = independent(seed, "short lanes")
    if short:
        own, plain = by_rule(f, _rule(vjp, given), given.library), by_autodiff(f, given.library)
        report = in_short_lanes(
            report, short, name_of(vjp), own, plain, given, upstream, rng, own_forward=False, rtol=rtol
        )
    return report if order == 1 else and_twice(report, given.library, lambda: _twice(f, vjp, given, upstream, rng))


def _posed(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    seed: int,
    rtol: float,
    notes: Sequence[str] = (),
) -> Problem:
    remarks = list(notes)
    measured = _measured(f, given, upstream, independent(seed, "directions"))
    values = evaluate(f, given, given.real)
    truths = dict(_witnesses(f, given, values, upstream, measured, remarks))
    return posed(
        name_of(f),
        name_of(vjp),
        _own(f, vjp),
        given,
        upstream,
        {witness: partial(WITNESSES[witness], f) for witness in truths},
        truths=truths,
        own_forward=False,
        in_float32=any(value.dtype == np.float32 for value in values.values()),
        measured=measured,
        probes=cache(partial(_probes, f, given, upstream, seed)),
        remarks=remarks,
        rtol=rtol,
        code=(f, vjp),
        values=partial(evaluate, f, given, given.real),
        again=partial(_posed, f, vjp, given, upstream, seed, rtol),
    )


def _in_float32(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays, seed: int, rtol: float
) -> Iterator[Problem]:
    """Pose the rule in float32 beside the first machine that can judge. Raises UsageError where there is none."""

    def run(given: Arguments, upstream: Arrays) -> Trace:
        return Trace({}, by_hand(f, vjp, given, upstream, "float32").gradients)

    notes: list[str] = []
    measured = _measured(f, given, upstream, independent(seed, "directions"))
    values = evaluate(f, given, given.real)
    witness = next((name for name, _ in _witnesses(f, given, values, upstream, measured, notes)), None)
    if witness is None:
        raise UsageError(f"lanes: float32 needs JAX or PyTorch as a witness: {'; '.join(notes) or 'none is installed'}")
    by = (witness, partial(WITNESSES[witness], f))
    yield posed_in_float32(
        name_of(f), name_of(vjp), run, given, upstream, by, independent(seed, "roundings"), own_forward=False, rtol=rtol
    )


def _own(f: Callable[..., Any], vjp: Callable[..., Any]) -> Differentiate:
    return lambda given, upstream: Trace({}, by_hand(f, vjp, given, upstream).gradients)


def _quickest(report: Report) -> str | None:
    """Return the machine that is quickest for a few calls, among the witnesses of a report."""
    return next((name for name in UNCOMPILED if name in report.witnesses), None)


def _measured_right(
    f: Callable[..., Any], seed: int, wrong: Collection[str], given: Arguments, upstream: Arrays
) -> Trace:
    """Measure the gradients of these lines alone."""
    asked = given.without([x for x in given.real if x not in wrong])
    return _probes(f, asked, upstream, seed).trace


def _with_jacobian(
    report: Report,
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    seed: int,
    rtol: float,
) -> Report:
    """Add what each output alone tells, where that is cheap: by a machine, or entry by entry without one."""
    witness = _quickest(report) or DIFFERENCES
    if not is_worth_it(report, witness, upstream, given.real, rtol):
        return report

    def right(dy: Arrays) -> Probes:
        measured = witness == DIFFERENCES
        return _probes(f, given, dy, seed) if measured else Probes(UNCOMPILED[witness](f, given, dy), {})

    name = f"{name_of(vjp)} for one output alone"
    return with_jacobian(
        report, name, lambda dy: by_hand(f, vjp, given, dy).gradients, witness, right, upstream, given.real
    )


def _twice(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays, rng: np.random.Generator
) -> Problem:
    name, rule = name_of(vjp), _rule(vjp, given)
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


def _rule(vjp: Callable[..., Any], given: Arguments) -> Gradients:
    def rule(*arguments: Any) -> dict[str, Array]:
        found = zip(given.names, per_argument(vjp, given, vjp(*arguments)), strict=True)
        leaves = {path: leaf for argument, g in found for path, leaf in leaves_of(argument, g).items()}
        real = real_leaves(given, arguments[:-1])
        return {path: x * 0 if leaves.get(path) is None else leaves[path] for path, x in real.items()}

    return rule


def _witnesses(
    f: Callable[..., Any],
    given: Arguments,
    values: Arrays,
    upstream: Arrays,
    measured: Mapping[str, LossMeasurement],
    notes: list[str],
) -> Iterator[tuple[str, Trace]]:
    """Yield the machines that can judge; of the others a note says why not."""
    refused: dict[str, Exception] = {}
    for witness, differentiate in WITNESSES.items():
        if find_spec(witness) is None:
            continue
        try:
            truth = differentiate(f, given, upstream)
        except Exception as error:  # f need not be written for every library
            refused[witness] = error
            continue
        problem = why_no_witness(values, truth, {} if witness == given.library else measured)
        if problem:
            notes.append(f"{witness} is no witness: {problem}")
        else:
            yield witness, truth
    if refused:
        why = " and ".join(dict.fromkeys(type(error).__name__ for error in refused.values()))
        advice = ": written for array_api_compat.array_namespace(x) in place of numpy it would"
        said = f"f does not run on the arrays of {listing(list(refused))}, no witness then ({why})"
        notes.append(f"{said}{advice if given.library == 'numpy' else ''}")


def _measured(
    f: Callable[..., Any], given: Arguments, upstream: Arrays, rng: np.random.Generator
) -> dict[str, LossMeasurement]:
    def forward(real: Mapping[str, np.ndarray], _: Batch, c: Any) -> None:
        y = evaluate(f, given, real)
        c["loss"] = sum(np.sum(g * y[name]) for name, g in upstream.items())

    return measure(forward, given.real, Batch(None, None), rng, {})


def _probes(f: Callable[..., Any], given: Arguments, upstream: Arrays, seed: int) -> Probes:
    """Measure the gradient of every real argument entry by entry, as far as that is possible."""

    def loss(change: Mapping[str, Array]) -> Array:
        y = evaluate(f, given, {name: x + change[name] if name in change else x for name, x in given.real.items()})
        return sum(np.sum(g * y[name]) for name, g in upstream.items())

    found = probed(loss, given.real, independent(seed, "probes")).gradients
    gradients = {name: each.gradient for name, each in found.items()}
    accuracy = {name: each.accuracy / (norm(each.gradient) or 1.0) for name, each in found.items()}
    return Probes(Trace(evaluate(f, given, given.real), {**upstream, **gradients}), accuracy)
