"""The multilayer perceptron as a JAX user writes it: ``jax.grad`` derives the backward pass."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from gradparity.models import MLP
from gradparity.operations import entrywise
from gradparity.protocol import Array, Batch, Params, Tap

ACTIVATION: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,  # its derivative at 0 is 0; that of jnp.maximum(z, 0) is 1/2
    "leaky_relu": lambda z: jnp.where(z > 0, z, entrywise.LEAK * z),  # that of jax.nn has derivative 1 at 0
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "identity": lambda z: z,
}
LOSS_PER_EXAMPLE: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
    "squared_error": lambda a, y: optax.squared_error(a, y).sum(axis=-1),
}


def predict(spec: MLP, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n outputs"]:
    """Return the last activation."""
    a = x
    for layer, activation in enumerate(spec.activations, start=1):
        with jax.named_scope(f"z{layer}"):
            z = tap(f"z{layer}", a @ params[f"W{layer}"] + params[f"b{layer}"])
        with jax.named_scope(f"a{layer}"):
            a = tap(f"a{layer}", ACTIVATION[activation](z))
    return a


def loss(spec: MLP, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the loss per example of the last activation, reduced over the batch."""
    output = predict(spec, params, batch.x, tap)
    with jax.named_scope("loss"):
        per_example = LOSS_PER_EXAMPLE[spec.loss](output, batch.y)
        return tap("loss", jnp.sum(per_example) / spec.loss_divisor(len(batch.x)))
