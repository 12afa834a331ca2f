"""The jax backend's epoch written out without the framework: the same operations, compiled as one function."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from gradparity.protocol import Array
from gradparity_bench.task import Task, Weights


def train(task: Task) -> Iterator[Weights]:
    """Yield the weights after each epoch, without end."""
    images, labels, divisor = jax.device_put(
        (task.examples.x, task.examples.y.astype(np.int32), np.float32(task.examples.divisor))
    )
    weights, rng = task.start()
    # W lies transposed, (classes, features), as the backend keeps it.
    params = jax.device_put((weights["W"].T.astype(np.float32), weights["b"].astype(np.float32)))

    def mean_loss(params: tuple[Array, Array], x: Float[Array, "n features"], y: Int[Array, " n"]) -> Float[Array, ""]:
        WT, b = params
        return optax.softmax_cross_entropy_with_integer_labels(x @ WT.T + b, y).mean()

    def epoch(
        params: tuple[Array, Array], images: Array, labels: Array, divisor: Array, order: Array
    ) -> tuple[tuple[Array, Array], Array]:
        def step(params: tuple[Array, Array], index: Int[Array, " n"]) -> tuple[tuple[Array, Array], Array]:
            raw = jnp.take(images, index, axis=0, mode="clip").astype(jnp.float32)
            divisors = jnp.broadcast_to(divisor, raw.shape)
            x = raw / jax.lax.optimization_barrier(divisors)  # type: ignore[no-untyped-call]
            loss, (dWT, db) = jax.value_and_grad(mean_loss)(params, x, jnp.take(labels, index, mode="clip"))
            WT, b = params
            return (WT - task.lr * dWT, b - task.lr * db), loss

        full = len(order) // task.batch_size * task.batch_size
        params, losses = jax.lax.scan(step, params, order[:full].reshape(-1, task.batch_size))
        if full < len(order):
            params, last = step(params, order[full:])
            losses = jnp.append(losses, last)
        return params, losses

    compiled = jax.jit(epoch, donate_argnums=0)
    while True:
        order = rng.permutation(len(images)).astype(np.int32)
        params, losses = compiled(params, images, labels, divisor, order)
        np.asarray(losses)
        WT, b = params
        yield {"W": np.array(WT).T.copy(), "b": np.array(b)}
