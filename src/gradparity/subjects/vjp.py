"""A plain function and its hand-written backward rule (VJP), on arrays of NumPy, JAX or PyTorch."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from gradparity.drawing.words import listing
from gradparity.errors import UsageError, require_some
from gradparity.parity.differences import LossMeasurement, measure
from gradparity.parity.examine import examine_ways
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity.parity.problem import LANES, Problem
from gradparity.parity.report import Report
from gradparity.protocol import Array, Batch, Dtype, Trace
from gradparity.subjects.arguments import (
    Arguments,
    Arrays,
    arranged_like,
    as_numpy,
    draw_upstream,
    leaves_of,
    name_of,
    read,
    require_callable,
)
from gradparity.subjects.backward_rule import none_note, posed, posed_in_float32, reason
from gradparity.subjects.machines import (
    by_compiled_jax,
    by_torch,
    changed_in_place,
    evaluate,
    evaluate_twice,
    in_float64,
    to_library,
)

WITNESSES: dict[str, Callable[..., Trace]] = {"jax": by_compiled_jax, "torch": by_torch}


def check_vjp(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    *arguments: Any,
    seed: int = 0,
    lanes: Sequence[Dtype] = ("float64",),
    constant: Collection[str] | None = None,
    rtol: float = 0.0,
) -> Report:
    """Check ``vjp(*arguments, dy)`` against autodiff of ``f(*arguments)``, and against differences of it.

    Arguments and what ``f`` returns are arrays or trees of them (dicts, tuples, lists); ``dy``, the upstream gradient,
    is arranged like the latter, with None for an output of whole numbers. ``vjp`` returns one gradient per argument,
    arranged like it, None for what has none. Both run on arrays of the library whose arrays the arguments are; ``f``
    should be written for that library, or in array-API style for all of them. What ``f`` or ``vjp`` change in place
    they change in copies, and a remark says so.

    JAX and PyTorch are witnesses where they are installed and ``f`` runs on their arrays; in float64, differences of
    ``f`` along random directions always are. Real arrays are checked, other arguments are passed as they are.
    ``lanes`` may ask for "float32" too, ``constant`` names the arguments without a gradient (by default those for
    which ``vjp`` returns None), and a relative error below ``rtol`` agrees whatever the limit is.
    Raises UsageError for arguments or outputs that cannot be checked, and what ``f`` or ``vjp`` themselves raise.
    """
    require_some("lanes", lanes, LANES)
    require_callable("f", f, arguments)
    require_callable("vjp", vjp, arguments, "dy")
    given = read(f, arguments, constant)
    values, changes = evaluate_twice(f, given)
    upstream = draw_upstream(values, np.random.default_rng(seed))
    rule = _by_hand(f, vjp, given, upstream)
    given, notes = _asked_for(given, rule, name_of(vjp))
    notes += [f"{name_of(f)} changes {x} in place: a caller that still needs it finds other numbers" for x in changes]
    problem = partial(_posed, f, vjp, given, values, upstream, seed, rtol)
    ways = [problem(notes)] if "float64" in lanes else []
    if "float32" in lanes:
        ways += _in_float32(f, vjp, given, values, upstream, seed, rtol)
    return examine_ways(ways, seed)


def _posed(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    given: Arguments,
    values: Arrays,
    upstream: Arrays,
    seed: int,
    rtol: float,
    notes: Sequence[str] = (),
) -> Problem:
    def run(given: Arguments, upstream: Arrays) -> Trace:
        return Trace({}, _by_hand(f, vjp, given, upstream).gradients)

    remarks = list(notes)
    truths = dict(_witnesses(f, given, values, upstream, remarks))
    return posed(
        name_of(f),
        name_of(vjp),
        run,
        given,
        upstream,
        {witness: partial(WITNESSES[witness], f) for witness in truths},
        truths=truths,
        own_forward=False,
        measured=_measured(f, given, upstream, np.random.default_rng(seed)),
        remarks=remarks,
        rtol=rtol,
        code=(f, vjp),
        again=partial(_posed, f, vjp, given, values, upstream, seed, rtol),
    )


def _in_float32(
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    given: Arguments,
    values: Arrays,
    upstream: Arrays,
    seed: int,
    rtol: float,
) -> Iterator[Problem]:
    """Pose the rule in float32 beside the first machine that can judge. Raises UsageError where there is none."""

    def run(given: Arguments, upstream: Arrays) -> Trace:
        return Trace({}, _by_hand(f, vjp, given, upstream, "float32").gradients)

    notes: list[str] = []
    witness = next((name for name, _ in _witnesses(f, given, values, upstream, notes)), None)
    if witness is None:
        raise UsageError(f"lanes: float32 needs JAX or PyTorch as a witness: {'; '.join(notes) or 'none is installed'}")
    by = (witness, partial(WITNESSES[witness], f))
    rng = np.random.default_rng(seed)
    yield posed_in_float32(name_of(f), name_of(vjp), run, given, upstream, by, rng, own_forward=False, rtol=rtol)


class _Returned(NamedTuple):
    """What a rule gives, by path."""

    gradients: Arrays
    """A Python float for which it gives something is there."""
    none: list[str]
    """For what it gives None."""
    changes: list[str]
    """What it changes in place, in words."""


def _by_hand(
    f: Callable[..., Any], vjp: Callable[..., Any], given: Arguments, upstream: Arrays, dtype: Dtype = "float64"
) -> _Returned:
    with in_float64() if dtype == "float64" else nullcontext():
        convert = to_library(given)

        def native(a: np.ndarray) -> Array:
            return convert(a.astype(dtype) if a.dtype.kind == "f" else a)

        y = f(*given.filled({}, native))
        xs = {path: native(x) for path, x in given.floats.items()}
        dy = {path: native(g) for path, g in upstream.items()}
        returned = vjp(*given.filled(xs, native), arranged_like(y, dy))
    changes = [*changed_in_place(given.floats, xs)] if dtype == "float64" else []
    changes += [f"the upstream gradient of {y}" for y in changed_in_place(upstream, dy)] if dtype == "float64" else []
    gradients: Arrays = {}
    none: list[str] = []
    for name, value, gradient in zip(given.names, given.values, _per_argument(vjp, given, returned), strict=True):
        known = leaves_of(name, value)
        for path, leaf in (dict.fromkeys(known) if gradient is None else leaves_of(name, gradient)).items():
            if path not in known and leaf is not None:
                raise UsageError(
                    f"{name_of(vjp)} returns a gradient of {path}, and there is no such argument: arrange the gradient "
                    f"of {name} like {name} itself, {', '.join(known)}"
                )
            if leaf is None:
                none.append(path)
            elif path in given.real or (isinstance(known[path], float) and path not in given.constant):
                gradients[path] = as_numpy(leaf)
    return _Returned(gradients, none, changes)


def _asked_for(given: Arguments, rule: _Returned, name: str) -> tuple[Arguments, list[str]]:
    """Return the arguments whose gradient is checked, and what is to be said besides.

    A rule that returns None says that there is none: believed, unless the user said which arguments are constant.
    """
    given = given.with_real_floats([path for path in rule.gradients if path not in given.real])
    notes = [
        *given.notes,
        *(f"{name} changes {what} in place: a caller that still needs it finds other numbers" for what in rule.changes),
    ]
    without = [path for path in rule.none if path in given.real]
    if not without or given.stated:
        return given, notes
    if len(without) == len(given.real):
        raise UsageError(f"{name} must return a gradient of {listing(without)}, got None for each")
    return given.without(without), [*notes, none_note(name, without)]


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
