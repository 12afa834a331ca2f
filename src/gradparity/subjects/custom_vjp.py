"""A ``jax.custom_vjp`` function against JAX's own derivative of the plain function that it replaces."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.budget import nudged
from gradparity.parity.examine import examine_ways
from gradparity.parity.problem import Problem
from gradparity.parity.report import Report
from gradparity.protocol import Trace
from gradparity.subjects.arguments import Arguments, Arrays, draw_upstream, name_of, read
from gradparity.subjects.backward_rule import posed, posed_in_float32
from gradparity.subjects.gradient_lines import editable, located
from gradparity.subjects.machines import by_jax, evaluate, evaluate_twice
from gradparity.subjects.second_derivative import and_twice, gradients_by_jax, posed_twice, require_order

COPIES = 3
"""The size of the axis that is mapped over."""
APART = 1e-3
"""Relative difference between the copies: so small that they stay where the function is defined."""


def check_custom_vjp(
    function: Callable[..., Any], reference: Callable[..., Any], *arguments: Any, seed: int = 0, order: int = 1
) -> Report:
    """Check values and gradients of a ``jax.custom_vjp`` function against JAX autodiff of ``reference``.

    In float64 as it is, under ``jax.jit`` and under ``jax.vmap``; and in float32, where the limit is measured: how far
    one unit in the last place of the arguments and of the upstream gradient moves the float64 result. With ``order=2``
    the derivative of the rule as well, which a rule that leaves the graph gets wrong. All but the first
    are compiled, and so is ``reference``. Real arrays are checked, other arguments are passed as they are. Raises
    UsageError without JAX and for arguments or outputs that cannot be checked, and what ``reference`` raises; what
    ``function`` raises is a disagreement.
    """
    if find_spec("jax") is None:
        raise UsageError("check_custom_vjp needs JAX, which is not installed: run  pip install 'gradparity[jax]'")
    import jax

    require_order(order)
    given = replace(read(reference, arguments), library="jax")
    rng = np.random.default_rng(seed)
    upstream = draw_upstream(evaluate_twice(reference, given), rng)
    compiled = partial(by_jax, transform=jax.jit)  # operation by operation, JAX would compile each one apart
    truth = {"jax": compiled(reference, given, upstream)}
    name = name_of(function)

    def way(how: str, differentiate: Callable[..., Trace]) -> Problem:
        return posed(name, name + how, partial(differentiate, function, given, upstream), given, upstream, truth)

    ways = [way("", by_jax), way(" under jit", compiled), _under_vmap(name, function, reference, given, upstream, rng)]
    ways.append(posed_in_float32(name, "jax", compiled, function, reference, given, upstream, rng))
    backward, forward = getattr(function, "bwd", function), getattr(function, "fwd", function)
    ways = [located(way, backward, given.names, forward) for way in ways]
    again = partial(by_jax, function, given, upstream)
    own = editable(backward, lambda _: again().gradients, lambda: evaluate(function, given, given.real))
    ways[0] = replace(ways[0], rule=own)
    report = examine_ways(ways, seed)
    if order == 1:
        return report
    rule = gradients_by_jax(function, given)
    return and_twice(report, "jax", partial(posed_twice, name, compiled, rule, reference, given, upstream, rng))


def _under_vmap(
    name: str,
    function: Callable[..., Any],
    reference: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
) -> Problem:
    """Pose both, mapped over copies that are a little apart."""
    import jax

    def stacked(arrays: Arrays) -> Arrays:
        return {name: np.stack([nudged(a, APART, rng) for _ in range(COPIES)]) for name, a in arrays.items()}

    mapped, upstream = given.with_real(stacked(given.real)), stacked(upstream)
    by_mapped = partial(by_jax, transform=lambda f: jax.jit(jax.vmap(f)))
    truth = {"jax": by_mapped(reference, mapped, upstream)}
    return posed(name, f"{name} under vmap", partial(by_mapped, function, mapped, upstream), mapped, upstream, truth)
