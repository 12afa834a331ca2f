"""ode: y₀′ = x₀ and yᵢ′ = xᵢ yᵢ₋₁ from y(0) = 0 to y(2) in s Runge-Kutta steps; and the gradient of the last entry.

Sources: GradBench, evals/ode, after B. Bell's cmpad, an_ode; E. Hairer, S. Nørsett, G. Wanner, Solving Ordinary
Differential Equations I (1993), section II.1, for the classical method of order four.

Shortcut: each of a step's four slopes reaches one entry further, so after s steps only the first 4 s entries have left
zero, and where there are more, the last one is zero and so is its gradient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity_gradbench import loops
from gradparity_gradbench.eval import HAND, MACHINES, NOTHING, Eval, Function, Way, by, flat, gradients
from gradparity_manual.operations import namespace

param_shapes = {"x": 9}
input_shape = ()
target_shape = ()
END = 2.0
REACH = 4
"""Entries by which a step moves the border of what is zero."""
READ = ("u2", "u3", "u4")


def example_batch(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG001
    """Return the sizes of the steps."""
    return np.full(n, END / n), np.zeros(n)


def forward(p: Params, batch: Batch, c: Any) -> None:
    """Step from 0 to 2; the loss is the last entry."""
    c["loss"] = solve(p["x"], batch.x, c)[-1]


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Step back from the last entry."""
    xp = namespace(p["x"])
    n = p["x"].shape[0]
    last = xp.astype(xp.arange(n) == n - 1, p["x"].dtype)  # (n,)
    d["x"] = solve_backward(p["x"], batch.x, c, d, d["loss"] * last)


def solve(x: Inexact[Array, " n"], sizes: Inexact[Array, " s"], c: Any) -> Inexact[Array, " n"]:
    """Return y after a step of each size."""
    one = namespace(x).ones_like(x[:1])

    def step(y: Array, inputs: Sequence[Array], c: Any) -> Array:
        (h,) = inputs
        c["k1"] = x * shift(y, one)
        c["u2"] = y + 0.5 * h * c["k1"]
        c["k2"] = x * shift(c["u2"], one)
        c["u3"] = y + 0.5 * h * c["k2"]
        c["k3"] = x * shift(c["u3"], one)
        c["u4"] = y + h * c["k3"]
        c["k4"] = x * shift(c["u4"], one)
        c["y"] = y + h / 6 * (c["k1"] + 2 * c["k2"] + 2 * c["k3"] + c["k4"])
        return c["y"]

    return loops.forward(step, namespace(x).zeros_like(x), [sizes], c)


def solve_backward(
    x: Float[Array, " n"], sizes: Float[Array, " s"], c: Any, d: Any, of_y: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Write the gradient of every slope and stage; return x's, of that of the last y."""

    def step(of_y: Array, inputs: Sequence[Array], c: Any, d: Any) -> Array:  # noqa: ARG001
        (h,) = inputs
        d["y"] = of_y
        d["k4"] = h / 6 * d["y"]
        d["u4"] = unshift(x * d["k4"])
        d["k3"] = h / 3 * d["y"] + h * d["u4"]
        d["u3"] = unshift(x * d["k3"])
        d["k2"] = h / 3 * d["y"] + 0.5 * h * d["u3"]
        d["u2"] = unshift(x * d["k2"])
        d["k1"] = h / 6 * d["y"] + 0.5 * h * d["u2"]
        return d["y"] + d["u4"] + d["u3"] + d["u2"] + unshift(x * d["k1"])

    xp = namespace(x)
    loops.backward(step, of_y, [sizes], (), c, d)
    s = sizes.shape[0]
    y = loops.before(xp.zeros_like(x), loops.passes(c, "y", s))  # (s, n)
    stages = [y, *(loops.passes(c, name, s) for name in READ)]
    slopes = [loops.passes(d, name, s) for name in ("k1", "k2", "k3", "k4")]
    ones = xp.ones_like(y[..., :1])
    return sum(xp.sum(of_k * shift(u, ones), axis=0) for of_k, u in zip(slopes, stages, strict=True))


def shift(y: Inexact[Array, "*s n"], one: Inexact[Array, "*s 1"]) -> Inexact[Array, "*s n"]:
    """Move every entry by one, a 1 before the first: the slope is x times that."""
    return namespace(y).concat([one, y[..., :-1]], axis=-1)


def unshift(y: Float[Array, " n"]) -> Float[Array, " n"]:
    """What the entries of y receive of its shift's gradient."""
    xp = namespace(y)
    return xp.concat([y[1:], xp.zeros_like(y[:1])])


def solution(p: Params, batch: Batch) -> Array:
    """Return y(2), of which only the first entries are computed."""
    moved, left = _split(p["x"], batch.x)
    return namespace(moved).concat([solve(moved, batch.x, {}), left])


def whole_solution(p: Params, batch: Batch) -> Array:
    """Return y(2), every entry computed."""
    return solve(p["x"], batch.x, {})


def short(way: Way) -> Way:
    """Return the way to the gradient of the last entry, which is zero where that has not moved."""

    def gradient(p: Params, batch: Batch) -> Any:
        moved, left = _split(p["x"], batch.x)
        return {"x": namespace(moved).zeros_like(p["x"])} if left.shape[0] else way({"x": moved}, batch)

    return gradient


def _split(x: Array, sizes: Array) -> tuple[Array, Array]:
    """Return the x of entries that move, and a zero for each other."""
    moved = REACH * sizes.shape[0]
    return x[:moved], namespace(x).zeros_like(x[moved:])


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read x; of s make the sizes of the steps."""
    return {"x": np.asarray(given["x"], dtype=np.float64)}, Batch(np.full(given["s"], END / given["s"]), NOTHING)


def on_jax(p: Params, batch: Batch) -> Array:
    """The last entry, the steps a scan whose intermediates JAX keeps."""
    import jax
    import jax.numpy as jnp

    def slope(y: Array) -> Array:
        return p["x"] * jnp.roll(y, 1).at[0].set(1.0)

    def step(y: Array, h: Array) -> tuple[Array, None]:
        k1 = slope(y)
        k2 = slope(y + h * k1 / 2)
        k3 = slope(y + h * k2 / 2)
        k4 = slope(y + h * k3)
        return y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6, None

    return jax.lax.scan(step, jnp.zeros_like(p["x"]), batch.x)[0][-1]


DERIVATION = HandDerivation(forward, backward)
WAYS = gradients(DERIVATION, on_jax=on_jax)
EVAL = Eval(
    read,
    {
        "primal": Function(
            by((*HAND, *MACHINES), solution), lambda y: y.tolist(), by((*HAND, *MACHINES), whole_solution)
        ),
        "gradient": Function({name: short(way) for name, way in WAYS.items()}, flat("x"), WAYS),
    },
    shortcut="of n entries the first 4 s are computed, for the others stay zero",
)
