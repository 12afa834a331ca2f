"""saddle: min over x of max over y of x₁² + x₂² − y₁² − y₂², both by gradient descent, one inside the other.

Sources: GradBench, evals/saddle; B. Pearlmutter, J. Siskind, Using Programming Language Theory to Make Automatic
Differentiation Sound and Efficient (2008). Its four functions say which of the two gradients, of the minimum and of the
maximum, is in forward (f) and which in reverse (r) mode; by hand there is one gradient, and all four are the same.

The gradient of a maximum is that at the point where it is: what y moves by changes nothing to first order, J. Danskin,
The Theory of Max-Min (1967). By hand this is the rule, and in reverse mode on JAX too, which cannot reverse a loop of
unknown length.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradparity.protocol import Array, Batch, Params
from gradparity_gradbench.descent import Vector, argmin
from gradparity_gradbench.eval import HAND, NOTHING, Eval, Function, by

VARIANTS = ("rr", "ff", "fr", "rf")
Gradient = Callable[[Callable[..., Array], Vector], Vector]
"""From a function of two numbers and a point to the gradient there."""


def saddle(x: Vector, y: Vector) -> Array:
    """The function."""
    return x[0] * x[0] + x[1] * x[1] - (y[0] * y[0] + y[1] * y[1])


def saddle_in_x(x: Vector) -> Vector:
    """Its gradient in x, by hand."""
    return 2 * x[0], 2 * x[1]


def saddle_in_y(y: Vector) -> Vector:
    """Its gradient in y, by hand."""
    return -2 * y[0], -2 * y[1]


def by_hand(p: Params, batch: Batch) -> tuple[Array, ...]:  # noqa: ARG001
    """Return x and y at the saddle point."""
    start = p["start"][0], p["start"][1]

    def highest(x: Vector) -> Vector:
        return argmin(lambda y: -saddle(x, y), lambda y: _negative(saddle_in_y(y)), start)

    x = argmin(lambda x: saddle(x, highest(x)), saddle_in_x, start)
    return *x, *highest(x)


def by_machine(outer: Gradient, inner: Gradient, constant: Callable[[Array], Array]) -> Callable[[Params, Batch], Any]:
    """Return the way that takes both gradients by autodiff; ``constant`` hides a number from it."""

    def way(p: Params, batch: Batch) -> tuple[Array, ...]:  # noqa: ARG001
        start = p["start"][0], p["start"][1]

        def highest(x: Vector, gradient: Gradient) -> Vector:
            own = tuple(map(constant, x))

            def value(y: Vector) -> Array:
                return -saddle(own, y)

            found = argmin(value, lambda y: gradient(lambda *numbers: value(numbers), y), start)
            return tuple(map(constant, found))

        def height(*x: Array) -> Array:
            return saddle(x, highest(x, inner))

        x = argmin(lambda x: height(*x), lambda x: outer(height, x), start)
        return *x, *highest(x, outer)

    return way


def reverse_by_jax(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in reverse mode."""
    import jax

    found: Vector = jax.grad(f, argnums=tuple(range(len(x))))(*x)
    return found


def forward_by_jax(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in forward mode, number by number."""
    import jax

    found: Vector = jax.jacfwd(f, argnums=tuple(range(len(x))))(*x)
    return found


def reverse_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in reverse mode, of numbers in numbers."""
    import torch

    with torch.enable_grad():
        own = [torch.tensor(xi, dtype=torch.float64, requires_grad=True) for xi in x]
        return tuple(g.item() for g in torch.autograd.grad(f(*own), own))


def forward_by_torch(f: Callable[..., Array], x: Vector) -> Vector:
    """Return the gradient in forward mode, number by number, of numbers in numbers."""
    import torch

    own = tuple(torch.tensor(xi, dtype=torch.float64) for xi in x)
    directions = torch.eye(len(x), dtype=torch.float64).unbind()
    return tuple(torch.func.jvp(f, own, tuple(direction.unbind()))[1].item() for direction in directions)


def on_numbers(way: Callable[[Params, Batch], Any]) -> Callable[[Params, Batch], Any]:
    """Return the way whose descent goes through Python's numbers: PyTorch takes microseconds for each of its own."""

    def own(p: Params, batch: Batch) -> Any:
        import torch

        found = way({"start": p["start"].tolist()}, batch)
        return tuple(torch.tensor(number, dtype=torch.float64) for number in found)

    return own


def constant_in_torch(number: Array) -> Array:
    """Return what a tensor holds, which nothing differentiates."""
    return number if isinstance(number, float) else number.detach().item()


def _ways(variant: str) -> dict[str, Any]:
    def constant_in_jax(number: Array) -> Array:
        import jax

        return jax.lax.stop_gradient(number)

    outer, inner = tuple(variant)
    jax_modes, torch_modes = (
        {"r": reverse_by_jax, "f": forward_by_jax},
        {"r": reverse_by_torch, "f": forward_by_torch},
    )
    return by(HAND, by_hand) | {
        "jax": by_machine(jax_modes[outer], jax_modes[inner], constant_in_jax),
        "torch": on_numbers(by_machine(torch_modes[outer], torch_modes[inner], constant_in_torch)),
    }


def _negative(x: Vector) -> Vector:
    return tuple(-xi for xi in x)


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read where both descents start."""
    return {"start": np.asarray(given["start"], dtype=np.float64)}, Batch(NOTHING, NOTHING)


EVAL = Eval(read, {variant: Function(_ways(variant), lambda found: [float(x) for x in found]) for variant in VARIANTS})
