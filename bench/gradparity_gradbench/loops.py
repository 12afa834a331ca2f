"""A derivation of one step, taken many times: a loop in Python, and on JAX's arrays, in training, a scan.

A step is written once, in named lines, and sees ``c`` and ``d`` of its own pass. Where a check records, and on NumPy
and PyTorch, its names are those of a loop, c["y", i]. A program that JAX compiles would hold every pass of such a loop,
so there one compiled step writes to a dict, and c["y"] holds every pass along its first axis.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gradparity.protocol import Array
from gradparity.recording import library_of
from gradparity_manual.operations import namespace

State = TypeVar("State")
Inputs = Sequence[Array]
"""Arrays whose first axis counts the passes."""


class _Pass:
    """``c`` or ``d`` in one pass."""

    def __init__(self, outer: Any, number: int) -> None:
        self._outer, self._number = outer, number

    def __getitem__(self, name: str) -> Array:
        return self._outer[name, self._number]

    def __setitem__(self, name: str, value: Array) -> None:
        self._outer[name, self._number] = value


def forward(step: Callable[[State, Sequence[Array], Any], State], start: State, inputs: Inputs, c: Any) -> State:
    """Take ``step(state, inputs of this pass, c)`` for each pass; return the last state."""
    if not _scanned(inputs, c):
        state = start
        for i in range(inputs[0].shape[0]):
            state = step(state, [each[i] for each in inputs], _Pass(c, i))
        return state
    import jax

    def body(state: State, own: Sequence[Array]) -> tuple[State, dict[str, Array]]:
        lines: dict[str, Array] = {}
        return step(state, own, lines), lines

    state, lines = jax.lax.scan(body, start, list(inputs))
    c.update(lines)
    return state


def backward(
    step: Callable[[State, Sequence[Array], Any, Any], State],
    start: State,
    inputs: Inputs,
    names: Sequence[str],
    c: Any,
    d: Any,
) -> State:
    """Take ``step(state, inputs of this pass, c, d)`` for each pass, the last first; ``names`` are read of c."""
    if not _scanned(inputs, c):
        state = start
        for i in reversed(range(inputs[0].shape[0])):
            state = step(state, [each[i] for each in inputs], _Pass(c, i), _Pass(d, i))
        return state
    import jax

    def body(state: State, own: tuple[Sequence[Array], dict[str, Array]]) -> tuple[State, dict[str, Array]]:
        lines: dict[str, Array] = {}
        return step(state, own[0], own[1], lines), lines

    state, lines = jax.lax.scan(body, start, (list(inputs), {name: c[name] for name in names}), reverse=True)
    d.update(lines)
    return state


def passes(named: Any, name: str, count: int) -> Array:
    """Return what every pass wrote under a name, along the first axis."""
    if name in named:
        return named[name]
    own = [named[name, i] for i in range(count)]
    return namespace(own[0]).stack(own)


def before(start: Array, after: Array) -> Array:
    """Return what there was before each pass, of what there was before the first and after each."""
    return namespace(after).concat([start[None], after[:-1]])


def _scanned(inputs: Inputs, c: Any) -> bool:
    return type(c) is dict and library_of(inputs[0]) == "jax"
