"""A ``torch.autograd.Function`` against PyTorch's own derivative of the plain function that it replaces."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from gradparity.errors import UsageError
from gradparity.parity.examine import examine_ways
from gradparity.parity.problem import Problem
from gradparity.parity.report import Report
from gradparity.protocol import Array
from gradparity.subjects.arguments import Arguments, Arrays, draw_upstream, name_of, outputs, read
from gradparity.subjects.backward_rule import posed, posed_in_float32
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.machines import by_torch, evaluate, evaluate_twice
from gradparity.subjects.second_derivative import and_twice, gradients_by_torch, posed_twice, require_order

SECOND = 0.75
"""The second use is on this much of the arguments, so that what was saved for one use is wrong for the other."""


def check_autograd_function(
    function: Any, reference: Callable[..., Any], *arguments: Any, seed: int = 0, order: int = 1
) -> Report:
    """Check values and gradients of a ``torch.autograd.Function`` subclass against autograd of ``reference``.

    ``function`` may also be what calls one, or a ``torch.library.custom_op`` with its own backward.

    In float64: as it is; with each argument alone needing a gradient (``ctx.needs_input_grad``); on arrays that are
    not contiguous; in a second backward pass; used twice in one graph; with each of several outputs used alone. In
    float32 the limit is measured: how far one unit in the last place of the arguments and of the upstream gradient
    moves the float64 result. With ``order=2`` the derivative of its backward as well, which a backward that leaves
    the graph gets wrong. Real arrays are checked, other arguments are passed as they are. Raises UsageError
    without PyTorch and for arguments or outputs that cannot be checked, and what ``reference`` raises; what
    ``function`` raises is a disagreement.
    """
    if find_spec("torch") is None:
        raise UsageError("check_autograd_function needs PyTorch, which is not installed: run  pip install torch")
    require_order(order)
    given = replace(read(reference, arguments), library="torch")
    rng = np.random.default_rng(seed)
    upstream = draw_upstream(evaluate_twice(reference, given), rng)
    name, apply = name_of(function), getattr(function, "apply", function)

    ways = [
        _way(name, how, apply, reference, given, {"upstream": upstream, **changes})
        for how, changes in _ways(given, upstream).items()
    ]
    ways.append(_used_twice(name, apply, reference, given, rng))
    ways.append(posed_in_float32(name, "torch", by_torch, apply, reference, given, upstream, rng))
    if hasattr(function, "backward"):  # else it is a function that only calls one
        ways = [located(way, function.backward, given.names, function.forward) for way in ways]
        again = partial(by_torch, apply, given, upstream)
        own = editable(function.backward, lambda _: again().gradients, lambda: evaluate(apply, given, given.real))
        ways[0] = replace(ways[0], rule=own)
    report = examine_ways(ways, seed)
    if order == 1:
        return report
    rule = gradients_by_torch(apply, given)
    return and_twice(report, "torch", partial(posed_twice, name, by_torch, rule, reference, given, upstream, rng))


def _way(
    name: str,
    how: str,
    apply: Callable[..., Any],
    reference: Callable[..., Any],
    given: Arguments,
    choices: dict[str, Any],
) -> Problem:
    run = partial(by_torch, apply, given, **choices)
    return posed(name, name + how, run, given, choices["upstream"], {"torch": by_torch(reference, given, **choices)})


def _ways(given: Arguments, upstream: Arrays) -> dict[str, dict[str, Any]]:
    """Say in words, and in arguments of ``by_torch``, how a Function can be asked for its gradients."""
    alone = {f" where only {x} needs a gradient": {"wanted": [x]} for x in given.real if len(given.real) > 1}
    unused = {f" where only {y} is used": {"upstream": {y: g}} for y, g in upstream.items() if len(upstream) > 1}
    return {
        "": {},
        " on arrays that are not contiguous": {"contiguous": False},
        " in a second backward pass": {"again": True},
        **alone,
        **unused,
    }


def _used_twice(
    name: str, apply: Callable[..., Any], reference: Callable[..., Any], given: Arguments, rng: np.random.Generator
) -> Problem:
    def twice(f: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any) -> tuple[Array, ...]:
            others = [a * SECOND if is_torch_array(a) and a.is_floating_point() else a for a in arguments]
            return (*outputs(f(*arguments)).values(), *outputs(f(*others)).values())

        return both

    upstream = draw_upstream(evaluate(twice(reference), given, given.real), rng)
    return _way(name, " used twice", twice(apply), twice(reference), given, {"upstream": upstream})
