"""A ``jax.custom_vjp`` function against JAX's own derivative of the plain function that it replaces."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from array_api_compat import is_jax_array

from gradparity.errors import UsageError, ending_nothing, require_some
from gradparity.inputs import independent
from gradparity.parity.budget import nudged
from gradparity.parity.diagnosis.rerun import Rule
from gradparity.parity.examine import examine_ways
from gradparity.parity.norms import SINGLE, relative_error
from gradparity.parity.problem import LANES, Problem
from gradparity.parity.report import Report
from gradparity.parity.rows import Lane
from gradparity.protocol import Trace
from gradparity.subjects.arguments import (
    Arguments,
    Arrays,
    arranged_like,
    as_numpy,
    draw_upstream,
    leaves_of,
    name_of,
    outputs,
    read,
    require_callable,
)
from gradparity.subjects.backward_rule import changed, none_note, posed, posed_in_float32
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.machines import by_jax, evaluate, evaluate_twice
from gradparity.subjects.second_derivative import and_twice, gradients_by_jax, posed_twice, require_order
from gradparity.subjects.short_lanes import by_autodiff, in_short_lanes, short_of
from gradparity.subjects.smallest_case import of_rule

COPIES = 3
"""The size of the axis that is mapped over."""
APART = 1e-3
"""Relative difference between the copies: so small that they stay where the function is defined."""
SAME = 1e-3
"""In float32 and in float64 a function gives results that are nearer than this."""


WAYS = ("plain", "jit", "vmap")


@ending_nothing()
def check_custom_vjp(
    function: Callable[..., Any],
    reference: Callable[..., Any],
    *arguments: Any,
    seed: int = 0,
    lanes: Sequence[Lane] = LANES,
    ways: Sequence[str] = WAYS,
    constant: Collection[str] | None = None,
    rtol: float = 0.0,
    order: int = 1,
) -> Report:
    """Check values and gradients of a ``jax.custom_vjp`` function against JAX autodiff of ``reference``.

    In float64, in each of ``ways``: "plain", as it is, and under "jit" and "vmap"; and in float32, where the limit is
    measured: how far one unit in the last place of the arguments and of the upstream gradient moves the float64 result.
    ``lanes`` may ask for "bfloat16" and "float16" besides: there the limit is 4 times the error of plain code, that is
    of ``reference`` differentiated in the same dtype, and a remark says what that comes to. With ``order=2`` the
    derivative of the rule as well, which a rule that leaves the graph gets wrong. All but the first are compiled, and
    so is ``reference``.

    Real arrays are checked, other arguments are passed as they are. ``constant`` names those without a gradient, by
    default those for which the rule returns None. A relative error below ``rtol`` agrees whatever the limit is. Raises
    UsageError without JAX and for arguments or outputs that cannot be checked, and what ``reference`` raises; what
    ``function`` raises is a disagreement.
    """
    if find_spec("jax") is None:
        raise UsageError("check_custom_vjp needs JAX, which is not installed: run  pip install 'gradparity[jax]'")
    import jax

    require_order(order)
    short = short_of(lanes)
    require_some("ways", ways, WAYS)
    require_callable("function", function, arguments)
    require_callable("reference", reference, arguments)
    given = replace(read(reference, arguments, constant), library="jax")
    rng = independent(seed, "upstream")
    values, _ = evaluate_twice(reference, given)
    upstream = draw_upstream(values, rng)
    name = name_of(function)
    given, notes = _asked_for(name, function, given, upstream)
    compiled = partial(by_jax, transform=jax.jit)  # operation by operation, JAX would compile each one apart
    mapped = partial(by_jax, transform=lambda f: jax.jit(jax.vmap(f)))
    by_way: dict[str, tuple[str, Callable[..., Trace], Callable[..., Trace]]] = {
        "plain": ("", by_jax, compiled),
        "jit": (" under jit", compiled, compiled),
        "vmap": (" under vmap", mapped, mapped),
    }
    copies = changed(given, upstream, lambda a: np.stack([nudged(a, APART, rng) for _ in range(COPIES)]), given.real)
    truth = cache(lambda: compiled(reference, given, upstream))

    def way(which: str, known: bool = True) -> Problem:
        how, run, by = by_way[which]
        return posed(
            name,
            name + how,
            partial(run, function),
            *(copies if which == "vmap" else (given, upstream)),
            {"jax": partial(by, reference)},
            truths={"jax": truth()} if known and which != "vmap" else None,
            remarks=[*given.notes, *notes],
            rtol=rtol,
            code=(reference, function),
            values=partial(evaluate, reference, given, given.real),
            again=lambda: way(which, known=False),
        )

    problems = [way(which) for which in by_way if which in ways] if "float64" in lanes else []
    if "float32" in lanes:
        problems.append(_in_float32(name, compiled, function, reference, given, values, upstream, rng, rtol))
    backward, forward = getattr(function, "bwd", function), getattr(function, "fwd", function)
    problems = [located(problem, backward, given.names, forward) for problem in problems]
    if problems:
        problems[0] = replace(problems[0], rule=cache(partial(_editable, function, given, upstream)))
    report = examine_ways(problems, seed, name)
    derived, right = partial(by_jax, function), partial(by_jax, reference)
    report = of_rule(report, reference, derived, right, given, upstream, "jax")
    mine, plain = by_autodiff(function, "jax"), by_autodiff(reference, "jax")
    report = in_short_lanes(report, short, name, mine, plain, given, upstream, rng, rtol=rtol)
    if order == 1:
        return report
    rule = gradients_by_jax(function, given)
    return and_twice(report, "jax", partial(posed_twice, name, compiled, rule, reference, given, upstream, rng))


def _in_float32(
    name: str,
    compiled: Callable[..., Trace],
    function: Callable[..., Any],
    reference: Callable[..., Any],
    given: Arguments,
    values: Arrays,
    upstream: Arrays,
    rng: np.random.Generator,
    rtol: float,
) -> Problem:
    """Pose it in float32; with JAX's 64-bit types on where ``reference`` is another function without them.

    ``jax.random`` draws other numbers there: another mask would be taken for a wrong rule.
    """
    wide = _is_another(reference, given, values)
    run, witness = partial(compiled, function, dtype="float32", wide=wide), ("jax", partial(compiled, reference))
    problem = posed_in_float32(name, name, run, given, upstream, witness, rng, rtol=rtol)
    said = f"float32 is run with JAX's 64-bit types on: without them {name_of(reference)} gives other numbers"
    return replace(problem, remarks=(*problem.remarks, said)) if wide else problem


def _is_another(reference: Callable[..., Any], given: Arguments, values: Arrays) -> bool:
    """Whether a function without JAX's 64-bit types is far from what it is in float64."""
    import jax

    with jax.enable_x64(False):
        y = outputs(reference(*given.filled({}, jax.numpy.asarray)))
    return any(
        relative_error(as_numpy(y[name]), value) > SAME for name, value in values.items() if value.dtype.kind == "f"
    )


def _asked_for(
    name: str, function: Callable[..., Any], given: Arguments, upstream: Arrays
) -> tuple[Arguments, list[str]]:
    """Return the arguments whose gradient is checked, and what is to be said of the others.

    JAX makes a zero of a rule's None, so that the rule itself is asked, where it can be.
    """
    if given.stated:
        return given, []
    try:
        returned = _backward(function, given, upstream)
    except Exception:  # the way "plain" tells what it raises
        return given, []
    pairs = zip(given.names, returned if isinstance(returned, tuple) else (), strict=False)
    none = {name for name, gradient in pairs if gradient is None}
    without = [path for path in given.real if path.partition("[")[0] in none]
    if not without or len(without) == len(given.real):
        return given, []
    return given.without(without), [none_note(name, without)]


def _backward(function: Any, given: Arguments, upstream: Arrays, on_numpy: bool = False) -> Any:
    """Return what the rule itself returns, on arrays of JAX or of NumPy; None where it cannot be asked."""
    import jax

    if not isinstance(function, jax.custom_vjp) or function.nondiff_argnums:
        return None
    forward, backward = function.fwd, function.bwd
    if forward is None or backward is None:
        return None
    with jax.enable_x64(True):
        native = {name: jax.numpy.asarray(x) for name, x in given.floats.items()}
        y, saved = forward(*given.filled(native, jax.numpy.asarray))
        dy = {path: jax.numpy.asarray(upstream[path]) for path in outputs(y) if path in upstream}
        arranged = arranged_like(y, dy)
        if not on_numpy:
            return backward(saved, arranged)
        with _numpy_for_jax(backward):
            return backward(jax.tree.map(_numpy_array, saved), jax.tree.map(_numpy_array, arranged))


def _editable(function: Any, given: Arguments, upstream: Arrays) -> Rule | None:
    """Return the rule as what may be edited and run again: on NumPy's arrays, where it gives the same on them.

    JAX would compile every operation that is new in an edit.
    """
    backward = getattr(function, "bwd", function)

    def forward() -> Mapping[str, np.ndarray]:
        return evaluate(function, given, given.real)

    def on_jax(_: Trace) -> Mapping[str, np.ndarray]:
        return by_jax(function, given, upstream).gradients

    def on_numpy(_: Trace) -> Mapping[str, np.ndarray]:
        returned = _backward(function, given, upstream, on_numpy=True)
        leaves = [leaves_of(name, tree) for name, tree in zip(given.names, returned, strict=True)]
        return {path: as_numpy(leaf) for each in leaves for path, leaf in each.items() if path in given.real}

    try:
        one, other = on_jax(Trace({}, {})), on_numpy(Trace({}, {}))
        same = all(relative_error(other[path], gradient) <= SINGLE for path, gradient in one.items())
    except Exception:  # NumPy has not everything that JAX has
        same = False
    return editable(backward, on_numpy if same else on_jax, forward, compiles=not same)


def _numpy_array(a: Any) -> Any:
    return np.asarray(a) if is_jax_array(a) else a


@contextmanager
def _numpy_for_jax(function: Callable[..., Any]) -> Iterator[None]:
    """Let the names by which a function's module calls ``jax.numpy`` mean NumPy."""
    import jax

    known = function.__globals__
    names = [name for name, value in known.items() if value is jax.numpy]
    known.update(dict.fromkeys(names, np))
    try:
        yield
    finally:
        known.update(dict.fromkeys(names, jax.numpy))
