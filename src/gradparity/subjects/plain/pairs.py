"""A pair of functions, ``out, cache = affine_forward(x, w, b)`` and ``affine_backward(dout, cache)``, as one unit.

They have no loss of their own: it is ⟨dout, out⟩ for a random upstream gradient dout, so that dL/d(out) is dout.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MethodType
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.inputs import independent
from gradparity.subjects.plain.capture import unit_of
from gradparity.subjects.plain.program import Program
from gradparity.subjects.plain.recorder import is_real, with_changed
from gradparity.subjects.plain.unit import Finished, Unit, arrays

BACKWARD = re.compile(r"(?i)_?(backward|backprop|bwd|back|grad|vjp)_?")
FORWARD = re.compile(r"(?i)^__call__$|_?(forwardprop|forward|fwd)_?")


def pair_of(name: str, functions: Iterable[str]) -> tuple[str, str] | None:
    """Return the forward and the backward function to which a name belongs, both qualified; None for neither."""
    there = list(functions)
    for forward in there:
        for backward in there:
            if name in (forward, backward) and _are_a_pair(forward, backward):
                return forward, backward
    return None


def all_pairs(functions: Iterable[str]) -> list[tuple[str, str]]:
    """Return every pair among some functions."""
    there = list(functions)
    return [(forward, backward) for forward in there for backward in there if _are_a_pair(forward, backward)]


def _are_a_pair(forward: str, backward: str) -> bool:
    owners = [name.rpartition(".")[0] for name in (forward, backward)]
    ahead, back = (name.rpartition(".")[2] for name in (forward, backward))
    if owners[0] != owners[1] or not BACKWARD.search(back) or BACKWARD.search(ahead):
        return False
    return FORWARD.sub("", ahead) == BACKWARD.sub("", back) and (bool(FORWARD.search(ahead)) or "_" in back)


def pair_unit(
    program: Program,
    again: Callable[[Mapping[str, Any]], Any],
    values: Mapping[str, Any],
    pair: tuple[str, str],
    seed: int,
) -> Unit:
    """Make a unit of a pair: ``again`` calls the forward function with ``values``, its arguments."""
    forward, backward = pair
    rng = independent(seed, "upstream")
    upstream: list[Any] = []

    def call(roots: Mapping[str, Any]) -> Finished:
        returned = again(roots)
        rule, count = _rule(program, next(iter(roots.values()), None), backward)
        outputs, cache = _outputs(returned, count, f"{program.shown()}: {forward}", backward)
        if not upstream:
            upstream.extend(_drawn(rng, output) for output in outputs)
        loss = sum(_inner(dy, y) for dy, y in zip(upstream, outputs, strict=True))
        observer = program.hooks.observer
        if observer is not None and observer.until_loss:
            return Finished(loss, {})
        gradients = rule(*(_copied(dy) for dy in upstream), *cache)
        return Finished((loss, gradients), {})

    line = program.source.sites[program.source.entries[program.file, backward]].line
    unit = unit_of(program, f"{forward} and {backward}", line, call, values)
    real = tuple(name for name in values if any(is_real(leaf) for _, leaf in arrays({name: values[name]})))
    unit.returns_gradients_of = {backward: real}
    return unit


def _rule(program: Program, first: Any, backward: str) -> tuple[Any, int]:
    """Return the backward function, and how many arguments it takes; a method's object is the first argument."""
    owner, _, name = backward.rpartition(".")
    if owner:
        function = getattr(type(first), name)
        return MethodType(function, first), function.__code__.co_argcount - 1
    function = program.module.__dict__[name]
    return function, function.__code__.co_argcount - len(function.__defaults__ or ())


def _outputs(returned: Any, count: int, forward: str, backward: str) -> tuple[list[Any], list[Any]]:
    """Tell apart what the forward returns: its outputs, and the cache, which the backward is given last."""
    values = list(returned) if isinstance(returned, tuple) else [returned]
    if count == len(values) and len(values) > 1:
        return values[:-1], values[-1:]
    if count == 1:
        return values[:1], []
    raise UsageError(
        f"{forward} returns {len(values)} values and {backward} takes {count} arguments: they must be out, cache and "
        "dout, cache; or check the function that calls both"
    )


def _drawn(rng: np.random.Generator, output: Any) -> Any:
    if is_real(output):
        return rng.normal(size=np.shape(output)) if np.ndim(output) else np.float64(rng.normal())
    if isinstance(output, dict | list | tuple):
        items = output.items() if isinstance(output, dict) else enumerate(output)
        copied = list(output) if isinstance(output, list) else dict(output) if isinstance(output, dict) else output
        return with_changed(copied, {step: _drawn(rng, each) for step, each in items})
    return output


def _inner(dy: Any, y: Any) -> Any:
    if isinstance(dy, dict):
        return sum(_inner(dy[key], y[key]) for key in dy)
    if isinstance(dy, list | tuple):
        return sum(_inner(a, b) for a, b in zip(dy, y, strict=True))
    return np.sum(dy * y) if is_real(dy) else 0.0


def _copied(dy: Any) -> Any:
    return dy.copy() if isinstance(dy, np.ndarray) else dy
