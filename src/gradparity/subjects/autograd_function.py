"""A ``torch.autograd.Function`` against PyTorch's own derivative of the plain function that it replaces."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeAlias

from array_api_compat import is_torch_array

from gradparity.errors import UsageError, ending_nothing, require_some
from gradparity.inputs import independent
from gradparity.parity.examine import examine_ways
from gradparity.parity.problem import LANES, Problem
from gradparity.parity.report import Report
from gradparity.parity.rows import Lane
from gradparity.protocol import Array
from gradparity.subjects.arguments import Arguments, Arrays, draw_upstream, name_of, outputs, read, require_callable
from gradparity.subjects.backward_rule import Differentiate, none_note, posed, posed_in_float32
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.machines import by_torch, evaluate, evaluate_twice
from gradparity.subjects.second_derivative import and_twice, gradients_by_torch, posed_twice, require_order
from gradparity.subjects.short_lanes import by_autodiff, in_short_lanes, short_of
from gradparity.subjects.smallest_case import of_rule

SECOND = 0.75
"""The second use is on this much of the arguments, so that what was saved for one use is wrong for the other."""


WAYS = ("plain", "non-contiguous", "repeated", "alone", "unused", "twice")
"""What is tried: as it is; on arrays that are not contiguous; in a second backward pass; with each argument alone
needing a gradient; with each of several outputs used alone; used twice in one graph."""


@ending_nothing()
def check_autograd_function(
    function: Any,
    reference: Callable[..., Any],
    *arguments: Any,
    seed: int = 0,
    lanes: Sequence[Lane] = LANES,
    ways: Sequence[str] = WAYS,
    constant: Collection[str] | None = None,
    rtol: float = 0.0,
    order: int = 1,
) -> Report:
    """Check values and gradients of a ``torch.autograd.Function`` subclass against autograd of ``reference``.

    ``function`` may also be what calls one, or a ``torch.library.custom_op`` with its own backward.

    In float64, in each of ``ways``: "plain", as it is; "alone", with each argument alone needing a gradient
    (``ctx.needs_input_grad``); "non-contiguous"; "repeated", in a second backward pass; "twice", used twice in one
    graph; "unused", with each of several outputs used alone. In float32 the limit is measured: how far one unit in the
    last place of the arguments and of the upstream gradient moves the float64 result. ``lanes`` may ask for
    "bfloat16" and "float16" besides: there the limit is 4 times the error of plain code, that is of ``reference``
    differentiated in the same dtype, and a remark says what that comes to. With ``order=2`` the derivative of its
    backward as well, which a backward that leaves the graph gets wrong.

    Real arrays are checked, other arguments are passed as they are. ``constant`` names those without a gradient: by
    default, where tensors are passed of which some require a gradient, the others, else those for which ``function``
    returns None. A relative error below ``rtol`` agrees whatever the limit is. Raises UsageError without PyTorch and
    for arguments or outputs that cannot be checked, and what ``reference`` raises; what ``function`` raises is a
    disagreement.
    """
    if find_spec("torch") is None:
        raise UsageError("check_autograd_function needs PyTorch, which is not installed: run  pip install torch")
    require_order(order)
    short = short_of(lanes)
    require_some("ways", ways, WAYS)
    use = getattr(function, "apply", function)
    require_callable("function", use, arguments)
    require_callable("reference", reference, arguments)
    given = replace(read(reference, arguments, constant), library="torch")
    rng = independent(seed, "upstream")
    values, changes = evaluate_twice(reference, given)
    if changes:
        raise UsageError(
            f"{name_of(reference)} changes {changes[0]} in place: copy it first, autograd needs its values"
        )
    upstream = draw_upstream(values, rng)
    name, apply = name_of(function), partial(by_torch, use, none_is_zero=False)
    given, notes = _asked_for(name, apply, given, upstream)

    def way(how: str, given: Arguments, upstream: Arrays, uses: Uses, **choices: Any) -> Problem:
        return posed(
            name,
            name + how,
            partial(by_torch, uses(use), none_is_zero=False, **choices),
            given,
            upstream,
            {"torch": partial(by_torch, uses(reference), **choices)},
            remarks=[*given.notes, *notes],
            rtol=rtol,
            code=(reference, function),
            values=partial(evaluate, reference, given, given.real),
            again=lambda: way(how, given, upstream, uses, **choices),
        )

    problems = [
        way(how, given, choices.pop("upstream", upstream), lambda f: f, **choices)
        for how, choices in _ways(given, upstream, ways if "float64" in lanes else ()).items()
    ]
    if "twice" in ways and "float64" in lanes:
        both = draw_upstream(evaluate(_used_twice(reference), given, given.real), rng)
        problems.append(way(" used twice", given, both, _used_twice))
    if "float32" in lanes:
        witness = ("torch", partial(by_torch, reference))
        problems.append(
            posed_in_float32(name, name, partial(apply, dtype="float32"), given, upstream, witness, rng, rtol=rtol)
        )
    if hasattr(function, "backward"):  # else it is a function that only calls one
        problems = [located(problem, function.backward, given.names, function.forward) for problem in problems]
        own = editable(
            function.backward, lambda _: apply(given, upstream).gradients, lambda: evaluate(use, given, given.real)
        )
        problems = [replace(problem, rule=lambda: own) if problem is problems[0] else problem for problem in problems]
    report = examine_ways(problems, seed, name)
    report = of_rule(report, reference, apply, partial(by_torch, reference), given, upstream, "torch")
    mine, plain = by_autodiff(use, "torch"), by_autodiff(reference, "torch")
    report = in_short_lanes(report, short, name, mine, plain, given, upstream, rng, rtol=rtol)
    if order == 1:
        return report
    rule = gradients_by_torch(use, given)
    return and_twice(report, "torch", partial(posed_twice, name, by_torch, rule, reference, given, upstream, rng))


Uses: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""How a function is used: as it is, or in another one."""


def _asked_for(name: str, apply: Differentiate, given: Arguments, upstream: Arrays) -> tuple[Arguments, list[str]]:
    """Return the arguments whose gradient is checked, and what is to be said of the others."""
    if given.stated:
        return given, []
    try:
        returned = apply(given, upstream).gradients
    except Exception:  # the way "plain" tells what it raises
        return given, []
    without = [path for path in given.real if path not in returned]
    if not without or not returned:
        return given, []
    return given.without(without), [none_note(name, without)]


def _ways(given: Arguments, upstream: Arrays, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Say in words, and in arguments of ``by_torch``, how a Function can be asked for its gradients."""
    alone = {f" where only {x} needs a gradient": {"wanted": [x]} for x in given.real if len(given.real) > 1}
    unused = {f" where only {y} is used": {"upstream": {y: g}} for y, g in upstream.items() if len(upstream) > 1}
    known: dict[str, dict[str, dict[str, Any]]] = {
        "plain": {"": {}},
        "non-contiguous": {" on arrays that are not contiguous": {"contiguous": False}},
        "repeated": {" in a second backward pass": {"again": True}},
        "alone": alone,
        "unused": unused,
    }
    return {how: choices for way, each in known.items() if way in wanted for how, choices in each.items()}


def _used_twice(f: Callable[..., Any]) -> Callable[..., Any]:
    def both(*arguments: Any) -> tuple[Array, ...]:
        others = [a * SECOND if is_torch_array(a) and a.is_floating_point() else a for a in arguments]
        return (*outputs(f(*arguments)).values(), *outputs(f(*others)).values())

    return both
