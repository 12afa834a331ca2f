"""Gradient descent as ``particle`` and ``saddle`` are defined by: their outputs are what it stops at.

The rate starts at 1e-5, doubles after ten steps that went down and halves after one that did not; the end is a
gradient or a step of at most 1e-5.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from gradparity.protocol import Array
from gradparity.recording import library_of

State = TypeVar("State")
SMALLEST = 1e-5
FIRST_RATE = 1e-5
STEPS = 10
"""That go down, after which the rate doubles."""

Vector = tuple[Array, ...]
"""Its numbers."""
Value = Callable[[Vector], Array]
Slope = Callable[[Vector], Vector]


def argmin(value: Value, gradient: Slope, start: Vector) -> Vector:
    """Return where the descent from ``start`` ends; on JAX's arrays by a loop that JAX compiles."""
    if library_of(start[0]) == "jax":
        return _argmin_in_jax(value, gradient, start)
    x, fx, g = start, value(start), gradient(start)
    rate, steps = FIRST_RATE, 0
    while _length(g) > SMALLEST:
        if steps == STEPS:
            rate, steps = rate * 2, 0
            continue
        moved = _moved(x, g, rate)
        if _distance(x, moved) <= SMALLEST:
            break
        f = value(moved)
        if f < fx:
            x, fx, g, steps = moved, f, gradient(moved), steps + 1
        else:
            rate, steps = rate / 2, 0
    return x


def repeat(going: Callable[[State], Any], step: Callable[[State], State], start: State, like: Array) -> State:
    """Take steps while the state says so, on the library of ``like``."""
    if library_of(like) == "jax":
        import jax

        return jax.lax.while_loop(going, step, start)
    state = start
    while going(state):
        state = step(state)
    return state


def _argmin_in_jax(value: Value, gradient: Slope, start: Vector) -> Vector:
    import jax
    import jax.numpy as jnp

    def step(state: Any) -> Any:
        x, fx, g, rate, steps, _ = state
        doubles = steps == STEPS
        moved = _moved(x, g, rate)
        f = value(moved)
        ends = ~doubles & (_distance(x, moved) <= SMALLEST)
        down = (f < fx) & ~doubles & ~ends

        def accepted() -> Any:
            return moved, f, gradient(moved)

        rate = jnp.where(doubles, rate * 2, jnp.where(down, rate, rate / 2))
        return *jax.lax.cond(down, accepted, lambda: (x, fx, g)), rate, jnp.where(down, steps + 1, 0), ends

    def going(state: Any) -> Any:
        return ~state[-1] & (_length(state[2]) > SMALLEST)

    first = start, value(start), gradient(start), jnp.asarray(FIRST_RATE, start[0].dtype), 0, False
    found: Vector = jax.lax.while_loop(going, step, first)[0]
    return found


def _moved(x: Vector, g: Vector, rate: Array) -> Vector:
    return tuple(xi - rate * gi for xi, gi in zip(x, g, strict=True))


def _length(x: Vector) -> Array:
    total: Array = sum(xi * xi for xi in x)
    return total**0.5


def _distance(x: Vector, y: Vector) -> Array:
    return _length(tuple(a - b for a, b in zip(x, y, strict=True)))
