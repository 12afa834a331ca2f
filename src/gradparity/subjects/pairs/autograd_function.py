"""A ``torch.autograd.Function`` against PyTorch's own derivative of the plain function that it replaces."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from gradparity.errors import UsageError
from gradparity.parity.report import Row
from gradparity.protocol import Array
from gradparity.subjects.pairs.arguments import Arguments, Arrays, draw_upstream, name_of, outputs, read
from gradparity.subjects.pairs.compare import attempt, attempt_float32
from gradparity.subjects.pairs.differentiate import by_torch
from gradparity.subjects.pairs.evaluate import evaluate
from gradparity.subjects.pairs.report import PairReport

SECOND = 0.75
"""The second use is on this much of the arguments, so that what was saved for one use is wrong for the other."""


def check_autograd_function(function: Any, reference: Callable[..., Any], *arguments: Any, seed: int = 0) -> PairReport:
    """Check values and gradients of a ``torch.autograd.Function`` subclass against autograd of ``reference``.

    In float64: as it is; with each argument alone needing a gradient (``ctx.needs_input_grad``); on arrays that are
    not contiguous; in a second backward pass; used twice in one graph; with each of several outputs used alone. In
    float32 the limit is measured: how far one unit in the last place of the arguments and of the upstream gradient
    moves the float64 result. Real arrays are checked, other arguments are passed as they are. Raises UsageError
    without PyTorch and for arguments or outputs that cannot be checked, and what ``reference`` raises; what
    ``function`` raises is a disagreement.
    """
    if find_spec("torch") is None:
        raise UsageError("check_autograd_function needs PyTorch, which is not installed: run  pip install torch")
    given = replace(read(reference, arguments), library="torch")
    rng = np.random.default_rng(seed)
    upstream = draw_upstream(evaluate(reference, given, given.real), rng)
    name, apply = name_of(function), function.apply

    rows: list[Row] = []
    for how, changes in _ways(given, upstream).items():
        choices = {"upstream": upstream, **changes}
        truth = by_torch(reference, given, **choices)
        rows += attempt(name + how, "torch", partial(by_torch, apply, given, **choices), truth, choices["upstream"])
    rows += _used_twice(function, reference, given, rng)
    rows += attempt_float32(name, "torch", by_torch, apply, reference, given, upstream, rng)
    return PairReport(name, tuple(rows), given.notes)


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


def _used_twice(function: Any, reference: Callable[..., Any], given: Arguments, rng: np.random.Generator) -> list[Row]:
    def twice(f: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any) -> tuple[Array, ...]:
            others = [a * SECOND if is_torch_array(a) and a.is_floating_point() else a for a in arguments]
            return (*outputs(f(*arguments)).values(), *outputs(f(*others)).values())

        return both

    upstream = draw_upstream(evaluate(twice(reference), given, given.real), rng)
    truth = by_torch(twice(reference), given, upstream)
    run = partial(by_torch, twice(function.apply), given, upstream)
    return attempt(f"{name_of(function)} used twice", "torch", run, truth, upstream)
