"""The multilayer perceptron as a JAX user writes it: ``jax.grad`` derives the backward pass."""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, Int

from gradparity.models import MLP
from gradparity.operations import entrywise
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax.norms import batch_norm, layer_norm, running_norm

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


def hinge(scores: Float[Array, "n classes"], y: Int[Array, " n"], tap: Tap) -> Float[Array, " n"]:
    """Return by how much the other classes come within 1 of the label's score."""
    label = jax.nn.one_hot(y, scores.shape[1], dtype=scores.dtype)
    with jax.named_scope("margins"):
        margins = tap("margins", scores - jnp.sum(scores * label, axis=1, keepdims=True) + 1)
    return jnp.sum(jax.nn.relu(margins) * (1 - label), axis=1)


LOSS_PER_EXAMPLE: dict[str, Callable[[Array, Array, Tap], Array]] = {
    "cross_entropy": lambda a, y, _: optax.softmax_cross_entropy_with_integer_labels(a, y),
    "squared_error": lambda a, y, _: optax.squared_error(a, y).sum(axis=-1),
    "sigmoid_cross_entropy": lambda a, y, _: optax.sigmoid_binary_cross_entropy(a, y).sum(axis=-1),
    "hinge": hinge,
}


def predict(spec: MLP, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n outputs"]:
    """Return the last activation; nothing is dropped, and a batch norm takes its running mean and variance."""

    def norm(place: str, z: Array) -> Array:
        if spec.norm == "batch":
            return running_norm(params, place, z, spec.size)
        return layer_norm(params, place, z, tap, spec.size)

    return _output(spec, params, x, tap, norm, {})


def loss(spec: MLP, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the loss per example of the last activation, reduced over the batch, plus the penalty where λ > 0."""
    normalise = batch_norm if spec.norm == "batch" else layer_norm

    def norm(place: str, z: Array) -> Array:
        return normalise(params, place, z, tap, spec.size)

    output = _output(spec, params, batch.x, tap, norm, batch.extras)
    name = spec.loss if spec.weight_decay else "loss"
    with jax.named_scope(name):
        per_example = LOSS_PER_EXAMPLE[spec.loss](output, batch.y, tap)
        data_loss = tap(name, jnp.sum(per_example) / spec.loss_divisor(len(batch.x)))
    if not spec.weight_decay:
        return data_loss
    with jax.named_scope("penalty"):
        squares = jnp.stack([jnp.sum(params[weights] ** 2) for weights in spec.weights])
        penalty = tap("penalty", spec.penalty_factor(len(batch.x)) * squares.sum())
    with jax.named_scope("loss"):
        return tap("loss", data_loss + penalty)


def _output(
    spec: MLP,
    params: Params,
    x: Float[Array, "n features"],
    tap: Tap,
    norm: Callable[[str, Array], Array],
    masks: Mapping[str, Array],
) -> Float[Array, "n outputs"]:
    h = x
    for layer, activation in enumerate(spec.activations, start=1):
        with jax.named_scope(f"z{layer}"):
            z = h @ params[f"W{layer}"]
            z = tap(f"z{layer}", z + params[f"b{layer}"] if spec.biased(layer) else z)
        if spec.norm != "none" and layer < spec.depth:
            z = norm(f"norm{layer}", z)
        with jax.named_scope(f"a{layer}"):
            a = tap(f"a{layer}", ACTIVATION[activation](z))
        if f"mask{layer}" in masks:
            with jax.named_scope(f"dropped{layer}"):
                a = tap(f"dropped{layer}", a * masks[f"mask{layer}"])
        if spec.adds(layer):
            with jax.named_scope(f"sum{layer}"):
                a = tap(f"sum{layer}", h + a)
        h = a
    return h
