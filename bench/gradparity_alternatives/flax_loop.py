"""flax's ``nnx`` with optax, one jitted training step called from a Python loop, as in flax's own tutorial.

Source: flax's guide "MNIST tutorial".
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from gradparity.protocol import Array
from gradparity_alternatives.task import Order, Problem, Trainer, Weights


def _step(model: nnx.Sequential, optimizer: nnx.Optimizer[nnx.Sequential], x: Array, y: Array) -> Array:
    """Take one step in place; return the loss before it."""

    def loss(model: nnx.Sequential) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    value, gradients = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradients)
    return value


def prepare(problem: Problem) -> Trainer:
    """Return the training by a Sequential module."""
    x, y = problem.in_memory()
    rngs = nnx.Rngs(0)
    linear = [nnx.Linear(*W.shape, rngs=rngs) for W, _ in problem.layers]
    for layer, (W, b) in zip(linear, problem.layers, strict=True):
        nnx.update(layer, {"kernel": jnp.asarray(W), "bias": jnp.asarray(b)})
    model = nnx.Sequential(linear[0], *(part for layer in linear[1:] for part in (nnx.relu, layer)))
    optimizer = nnx.Optimizer(model, optax.sgd(problem.lr), wrt=nnx.Param)
    step = nnx.jit(_step)

    def epoch(order: Order) -> None:
        for start in range(0, len(order), problem.batch_size):
            batch = order[start : start + problem.batch_size]
            loss = step(model, optimizer, x[batch], y[batch])
        jax.block_until_ready((loss, nnx.state(model)))  # type: ignore[no-untyped-call]

    def weights() -> Weights:
        arrays = [nnx.to_pure_dict(nnx.state(layer, nnx.Param)) for layer in linear]
        return problem.named([(np.array(of["kernel"]), np.array(of["bias"])) for of in arrays])

    return Trainer(epoch, weights)
