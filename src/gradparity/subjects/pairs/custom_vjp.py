"""A ``jax.custom_vjp`` function against JAX's own derivative of the plain function that it replaces."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.drift import nudged
from gradparity.parity.report import Row
from gradparity.subjects.pairs.arguments import Arguments, Arrays, draw_upstream, name_of, read
from gradparity.subjects.pairs.compare import attempt, attempt_float32
from gradparity.subjects.pairs.differentiate import by_jax
from gradparity.subjects.pairs.evaluate import evaluate
from gradparity.subjects.pairs.report import PairReport

COPIES = 3
"""The size of the axis that is mapped over."""
APART = 1e-3
"""Relative difference between the copies: so small that they stay where the function is defined."""


def check_custom_vjp(
    function: Callable[..., Any], reference: Callable[..., Any], *arguments: Any, seed: int = 0
) -> PairReport:
    """Check values and gradients of a ``jax.custom_vjp`` function against JAX autodiff of ``reference``.

    In float64 as it is, under ``jax.jit`` and under ``jax.vmap``; and in float32, where the limit is measured: how far
    one unit in the last place of the arguments and of the upstream gradient moves the float64 result. All but the first
    are compiled, and so is ``reference``. Real arrays are checked, other arguments are passed as they are. Raises
    UsageError without JAX and for arguments or outputs that cannot be checked, and what ``reference`` raises; what
    ``function`` raises is a disagreement.
    """
    if find_spec("jax") is None:
        raise UsageError("check_custom_vjp needs JAX, which is not installed: run  pip install 'gradparity[jax]'")
    import jax

    given = replace(read(reference, arguments), library="jax")
    rng = np.random.default_rng(seed)
    upstream = draw_upstream(evaluate(reference, given, given.real), rng)
    compiled = partial(by_jax, transform=jax.jit)  # operation by operation, JAX would compile each one apart
    truth = compiled(reference, given, upstream)
    name = name_of(function)

    run = partial(by_jax, function, given, upstream)
    rows = attempt(name, "jax", run, truth, upstream)
    rows += attempt(f"{name} under jit", "jax", partial(compiled, function, given, upstream), truth, upstream)
    rows += _under_vmap(function, reference, given, upstream, rng)
    rows += attempt_float32(name, "jax", compiled, function, reference, given, upstream, rng)
    return PairReport(name, tuple(rows), given.notes)


def _under_vmap(
    function: Callable[..., Any],
    reference: Callable[..., Any],
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
) -> list[Row]:
    """Compare both, mapped over copies that are a little apart."""
    import jax

    def stacked(arrays: Arrays) -> Arrays:
        return {name: np.stack([nudged(a, APART, rng) for _ in range(COPIES)]) for name, a in arrays.items()}

    mapped, upstream = given.with_real(stacked(given.real)), stacked(upstream)
    by_mapped = partial(by_jax, transform=lambda f: jax.jit(jax.vmap(f)))
    truth = by_mapped(reference, mapped, upstream)
    run = partial(by_mapped, function, mapped, upstream)
    return attempt(f"{name_of(function)} under vmap", "jax", run, truth, upstream)
