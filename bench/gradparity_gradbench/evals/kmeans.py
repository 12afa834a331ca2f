"""kmeans: the cost of k centroids, Σᵢ minⱼ |Cⱼ − Pᵢ|², and Newton's direction, gradient over Hessian.

Sources: GradBench, evals/kmeans; L. Bottou, Y. Bengio, Convergence Properties of the K-Means Algorithms (1994). The
Hessian is diagonal: twice the number of points that a centroid is the closest of.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity_gradbench.eval import HAND, NOTHING, Eval, Function, Way, by, value_by_hand, values
from gradparity_manual.operations import namespace

param_shapes = {"centroids": (3, 4)}
input_shape = 4
target_shape = ()
ROWS = 512
"""Points whose distances to all centroids are looked at together: of a thousand centroids, 4 MiB."""


def forward(p: Params, batch: Batch, c: Any) -> None:
    """The sum of squared distances to the closest centroid; which it is changes only at ties."""
    xp = namespace(p["centroids"])
    c["closest"] = closest(batch.x, p["centroids"])  # (n,)
    c["offset"] = xp.take(p["centroids"], c["closest"], axis=0) - batch.x  # (n, d)
    c["loss"] = xp.sum(c["offset"] ** 2)


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    """A centroid receives what all its points do."""
    d["offset"] = d["loss"] * 2 * c["offset"]  # (n, d)
    d["centroids"] = sums(d["offset"], c["closest"], p["centroids"].shape[0])  # (k, d)


def closest(points: Inexact[Array, "n d"], centroids: Inexact[Array, "k d"]) -> Int[Array, " n"]:
    """Return the index of each point's centroid: of |C|² − 2 P·C the least, for |P|² is the same for all."""
    xp = namespace(points)
    squares = 0.5 * xp.sum(centroids**2, axis=1)  # (k,)
    blocks = [points[i : i + ROWS] for i in range(0, points.shape[0], ROWS)]
    return xp.concat([xp.argmin(xp.real(squares - block @ centroids.T), axis=1) for block in blocks])


def sums(values: Float[Array, "n d"], index: Int[Array, " n"], count: int) -> Float[Array, "count d"]:
    """Return the sum of the values at each index."""
    xp = namespace(values)
    numbers, total = xp.arange(count), 0.0
    for i in range(0, values.shape[0], ROWS):
        stands = xp.astype(numbers[:, None] == index[i : i + ROWS], values.dtype)  # (count, rows)
        total = total + stands @ values[i : i + ROWS]
    return total


def direction_by_hand(p: Params, batch: Batch) -> Array:
    """Return the gradient over the Hessian's diagonal, which is twice the number of points of each centroid."""
    c: dict[str, Array] = {}
    d = {"loss": 1.0}
    forward(p, batch, c)
    backward(p, batch, c, d)
    counts = sums(namespace(batch.x).ones_like(batch.x[:, :1]), c["closest"], p["centroids"].shape[0])  # (k, 1)
    return d["centroids"] / (2 * counts)


def cost_by_jax(p: Params, batch: Batch) -> Array:
    """Take the least distance alone: where it is takes XLA several times longer, and the value does not need it."""
    import jax.numpy as jnp

    centroids = p["centroids"]
    squares = jnp.sum(batch.x**2, axis=1)[:, None] + jnp.sum(centroids**2, axis=1) - 2 * batch.x @ centroids.T  # (n, k)
    return jnp.min(squares, axis=1).sum()


def direction_by_jax(p: Params, batch: Batch) -> Array:
    """Let JAX derive both: the Hessian has only a diagonal, so its product with ones is that."""
    import jax
    import jax.numpy as jnp

    def gradient(centroids: Array) -> Array:
        return jax.grad(lambda own: cost({"centroids": own}, batch))(centroids)

    first, second = jax.jvp(gradient, (p["centroids"],), (jnp.ones_like(p["centroids"]),))
    return first / second


def direction_by_torch(p: Params, batch: Batch) -> Array:
    """Let PyTorch derive both, by two backward passes."""
    import torch

    with torch.enable_grad():
        own = p["centroids"].detach().requires_grad_()
        (first,) = torch.autograd.grad(cost({"centroids": own}, batch), own, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), own)
    return first.detach() / second


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read points and centroids."""
    points, centroids = (np.asarray(given[name], dtype=np.float64) for name in ("points", "centroids"))
    return {"centroids": centroids}, Batch(points, NOTHING)


cost = value_by_hand(forward)
DERIVATION = HandDerivation(forward, backward)
DIRECTIONS: dict[str, Way] = by(HAND, direction_by_hand) | {"jax": direction_by_jax, "torch": direction_by_torch}
EVAL = Eval(
    read,
    {
        "cost": Function(values(DERIVATION, on_jax=cost_by_jax), float),
        "dir": Function(DIRECTIONS, lambda found: found.tolist()),
    },
)
