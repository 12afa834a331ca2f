"""Loops in JAX: the jax backend's written out without the framework, and the one that a flax user writes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from gradparity.protocol import Array
from gradparity_bench.drawn import Order, Task, Trainer, Weights


def inlined(task: Task) -> Trainer:
    """Return the jax backend's epoch written out: the same operations, compiled as one function."""
    images, labels, divisor = jax.device_put(
        (task.examples.x, task.examples.y.astype(np.int32), np.float32(task.examples.divisor))
    )
    # W lies transposed, (classes, features), as the backend keeps it.
    params = jax.device_put(tuple(array.T for array in task.layers[0]))

    def mean_loss(params: tuple[Array, Array], x: Float[Array, "n features"], y: Int[Array, " n"]) -> Float[Array, ""]:
        WT, b = params
        return optax.softmax_cross_entropy_with_integer_labels(x @ WT.T + b, y).mean()

    def epoch_of(
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

    compiled = jax.jit(epoch_of, donate_argnums=0)

    def epoch(order: Order) -> None:
        nonlocal params
        params, losses = compiled(params, images, labels, divisor, order.astype(np.int32))
        np.asarray(losses)

    def weights() -> Weights:
        WT, b = params
        return task.named([(np.array(WT).T, np.array(b))])

    return Trainer(epoch, weights)


def flax(task: Task) -> Trainer:
    """Return the training by flax's ``nnx`` with optax: one jitted step, called from a Python loop.

    Source: flax's guide "MNIST tutorial".
    """
    from flax import nnx

    x, y = task.in_memory()
    rngs = nnx.Rngs(0)
    linear = [nnx.Linear(*W.shape, rngs=rngs) for W, _ in task.layers]
    for layer, (W, b) in zip(linear, task.layers, strict=True):
        nnx.update(layer, {"kernel": jnp.asarray(W), "bias": jnp.asarray(b)})
    model = nnx.Sequential(linear[0], *(part for layer in linear[1:] for part in (nnx.relu, layer)))
    optimizer = nnx.Optimizer(model, optax.sgd(task.lr), wrt=nnx.Param)

    @nnx.jit  # type: ignore[untyped-decorator]
    def step(model: Any, optimizer: Any, x: Array, y: Array) -> Array:
        def loss(model: Any) -> Array:
            return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

        value, gradients = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradients)
        return value

    def epoch(order: Order) -> None:
        for start in range(0, len(order), task.batch_size):
            batch = order[start : start + task.batch_size]
            loss = step(model, optimizer, x[batch], y[batch])
        jax.block_until_ready((loss, nnx.state(model)))  # type: ignore[no-untyped-call]

    def weights() -> Weights:
        arrays = [nnx.to_pure_dict(nnx.state(layer, nnx.Param)) for layer in linear]
        return task.named([(np.array(of["kernel"]), np.array(of["bias"])) for of in arrays])

    return Trainer(epoch, weights)
