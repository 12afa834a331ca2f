"""particle: where a charge that two others push meets the axis, squared, and the control w that makes it least.

Sources: GradBench, evals/particle; B. Pearlmutter, J. Siskind, Using Programming Language Theory to Make Automatic
Differentiation Sound and Efficient (2008): Euler steps of 0.1 until y ≤ 0, then back along the last velocity. The four
functions say which of the two gradients, of the end in w and of the potential, is in forward (f) and which in reverse
(r) mode; by hand there is one of each, and all four are the same.

By hand, what a change of w moves is carried along with the particle. In reverse mode on JAX, which cannot reverse a
loop of unknown length, that is a rule by hand too: the gradient of one number in one number is its tangent. On PyTorch
the inner gradient is derived once and traced: derived anew in every step, nested, one answer takes many minutes.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from gradparity.protocol import Array, Batch, Params
from gradparity_gradbench.descent import Vector, argmin, repeat
from gradparity_gradbench.eval import HAND, NOTHING, Eval, Function, by
from gradparity_gradbench.evals.saddle import (
    VARIANTS,
    Gradient,
    forward_by_jax,
    reverse_by_jax,
)

DT = 0.1
POSITION = (0.0, 8.0)
VELOCITY = (0.75, 0.0)
CHARGE = 10.0
"""Both charges stand at x = 10, one at y = 0 and the other at y = 10 − w."""
Push = Callable[[Vector, Array], Vector]
"""From a position and w to the acceleration there."""


def potential(x: Array, y: Array, w: Array) -> Array:
    """The sum of the inverse distances."""
    return ((x - CHARGE) ** 2 + y**2) ** -0.5 + ((x - CHARGE) ** 2 + (y - CHARGE + w) ** 2) ** -0.5


def push(position: Vector, w: Array) -> Vector:
    """Minus the potential's gradient, by hand: of each charge r / |r|³."""
    x, y = position[0] - CHARGE, position[1]
    moved = y - CHARGE + w
    one, other = (x * x + y * y) ** -1.5, (x * x + moved * moved) ** -1.5
    return x * one + x * other, y * one + moved * other


def push_along(position: Vector, w: Array, tangent: Vector) -> Vector:
    """How the push changes with w where the position moves by ``tangent``: of each t / |r|³ − 3 (r·t) r / |r|⁵."""
    x, y = position[0] - CHARGE, position[1]
    moved = y - CHARGE + w
    tx, ty = tangent
    one, other = x * x + y * y, x * x + moved * moved
    along, along_other = 3 * (x * tx + y * ty) / one, 3 * (x * tx + moved * (ty + 1)) / other
    near, far = one**-1.5, other**-1.5
    return (
        (tx - along * x) * near + (tx - along_other * x) * far,
        (ty - along * y) * near + (ty + 1 - along_other * moved) * far,
    )


def end(w: Array, pushed: Push) -> Array:
    """Return the squared place where the particle meets the axis."""
    o = w * 0.0

    def step(state: Any) -> Any:
        _, _, x, y, vx, vy = state
        ax, ay = pushed((x, y), w)
        return vx, vy, x + DT * vx, y + DT * vy, vx + DT * ax, vy + DT * ay

    start = o, o, *(o + number for number in (*POSITION, *VELOCITY))
    vx, vy, x, y, _, _ = repeat(lambda state: state[3] > 0, step, start, w)
    return (x - y / vy * vx) ** 2


def end_along(w: Array) -> Array:
    """Return the derivative of that in w, by hand: each line of the loop beside its own derivative."""
    o = w * 0.0

    def step(state: Any) -> Any:
        (_, _, x, y, vx, vy), (_, _, tx, ty, tvx, tvy) = state
        ax, ay = push((x, y), w)
        tax, tay = push_along((x, y), w, (tx, ty))
        return (
            (vx, vy, x + DT * vx, y + DT * vy, vx + DT * ax, vy + DT * ay),
            (tvx, tvy, tx + DT * tvx, ty + DT * tvy, tvx + DT * tax, tvy + DT * tay),
        )

    start = (o, o, *(o + number for number in (*POSITION, *VELOCITY))), (o,) * 6
    state, tangent = repeat(lambda state: state[0][3] > 0, step, start, w)
    vx, vy, x, y, _, _ = state
    tvx, tvy, tx, ty, _, _ = tangent
    meets = x - y / vy * vx
    return 2 * meets * (tx - ty / vy * vx + y * tvy / vy**2 * vx - y / vy * tvx)


def by_hand(p: Params, batch: Batch) -> Array:  # noqa: ARG001
    """Return the w that makes the end least."""
    return argmin(lambda w: end(w[0], push), lambda w: (end_along(w[0]),), (p["w"][()],))[0]


def by_machine(
    outer: Gradient, inner: Gradient, prepared: Callable[[Push], Push] = lambda pushed: pushed
) -> Callable[[Params, Batch], Any]:
    """Return the way that takes both gradients by autodiff; the inner one is ``prepared`` for the steps of a loop."""

    def pushed(position: Vector, w: Array) -> Vector:
        return tuple(-g for g in inner(lambda x, y: potential(x, y, w), position))

    own_push = prepared(pushed)

    def way(p: Params, batch: Batch) -> Array:  # noqa: ARG001
        return argmin(lambda w: end(w[0], own_push), lambda w: outer(lambda own: end(own, own_push), w), (p["w"],))[0]

    return way


def tangent_as_rule(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in reverse mode of what has a loop in it: its rule is its tangent."""
    import jax
    import jax.numpy as jnp

    own = jax.custom_vjp(f)
    own.defvjp(lambda w: jax.jvp(f, (w,), (jnp.ones_like(w),)), lambda tangent, upstream: (upstream * tangent,))
    return reverse_by_jax(own, x)


def _ways(variant: str) -> dict[str, Any]:
    outer, inner = tuple(variant)
    return by(HAND, by_hand) | {
        "jax": by_machine(
            {"r": tangent_as_rule, "f": forward_by_jax}[outer], {"r": reverse_by_jax, "f": forward_by_jax}[inner]
        ),
        "torch": by_machine(
            {"r": outer_reverse_by_torch, "f": outer_forward_by_torch}[outer],
            {"r": inner_reverse_by_torch, "f": inner_forward_by_torch}[inner],
            traced_by_torch,
        ),
    }


def traced_by_torch(pushed: Push) -> Push:
    """Return the same as the program of plain operations that it comes to: derived once for all steps of a loop."""

    @cache
    def program() -> Callable[..., Vector]:
        import torch
        from torch.fx.experimental.proxy_tensor import make_fx

        numbers = [torch.tensor(number, dtype=torch.float64) for number in (*POSITION, 0.0)]
        found: Callable[..., Vector] = make_fx(lambda x, y, w: pushed((x, y), w))(*numbers)
        return found

    return lambda position, w: program()(*position, w)


def inner_reverse_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in reverse mode."""
    import torch

    found: Vector = torch.func.grad(f, argnums=tuple(range(len(x))))(*x)
    return found


def inner_forward_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in forward mode: the transpose of the transpose, whose trace is plain operations."""
    import torch

    one, zero = torch.ones_like(x[0]), torch.zeros_like(x[0])
    forward: Any = torch.func.vjp(torch.func.vjp(f, *x)[1], one)[1]
    return tuple(forward(tuple(one if i == j else zero for j in range(len(x))))[0] for i in range(len(x)))


def outer_reverse_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in reverse mode, through a loop."""
    import torch

    with torch.enable_grad():
        own = tuple(xi.detach().requires_grad_() for xi in x)
        found: Vector = torch.autograd.grad(f(*own), own)
    return found


def outer_forward_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in forward mode, through a loop: what PyTorch has for it that is not four times as slow."""
    import torch

    directions = torch.eye(len(x), dtype=torch.float64)
    jvp: Any = torch.autograd.functional.jvp
    return tuple(jvp(f, x, tuple(each.unbind()))[1] for each in directions)


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read where the descent starts."""
    return {"w": np.asarray(float(given["w"]))}, Batch(NOTHING, NOTHING)


EVAL = Eval(read, {variant: Function(_ways(variant), float) for variant in VARIANTS})
