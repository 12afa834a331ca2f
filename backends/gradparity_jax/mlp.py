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


def leaky_relu(z: Array, leak: float = entrywise.LEAK) -> Array:
    """Return z above 0, leak · z below; jax.nn's has the derivative 1 at 0."""
    return jnp.where(z > 0, z, leak * z)


ACTIVATION: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,  # its derivative at 0 is 0; that of jnp.maximum(z, 0) is 1/2
    "leaky_relu": leaky_relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": jax.nn.gelu,
    "identity": lambda z: z,
}


def activation(name: str, leak: float) -> Callable[[Array], Array]:
    """Return the function of that name, a leaky ReLU with this slope."""
    return partial(leaky_relu, leak=leak) if name == "leaky_relu" else ACTIVATION[name]


def too_near(margins: Float[Array, "n classes"], y: Int[Array, " n"]) -> Float[Array, "n classes"]:
    """Return the margins above 0 of the classes that are not the label."""
    return jnp.where(jnp.arange(margins.shape[1]) == y[:, None], 0, jax.nn.relu(margins))


LOSS_PER_EXAMPLE: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": optax.softmax_cross_entropy_with_integer_labels,
    "squared_error": lambda a, y: optax.squared_error(a, y).sum(axis=-1),
    "sigmoid_cross_entropy": lambda a, y: optax.sigmoid_binary_cross_entropy(a, y).sum(axis=-1),
    "hinge": lambda m, y: too_near(m, y).sum(axis=-1),
    "squared_hinge": lambda m, y: jnp.square(too_near(m, y)).sum(axis=-1),
    "binary_hinge": lambda m, _: jax.nn.relu(m).sum(axis=-1),
    "squared_binary_hinge": lambda m, _: jnp.square(jax.nn.relu(m)).sum(axis=-1),
}


def linear(params: Params, layer: int, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    """Return xW."""
    return x @ params[f"W{layer}"]


def affine(params: Params, layer: int, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    """Return xW + b."""
    return x @ params[f"W{layer}"] + params[f"b{layer}"]


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
    if spec.has_margins:
        with jax.named_scope("margins"):
            if spec.real_targets:
                beyond = jnp.where(batch.y > 0, output, -output)
            else:
                beyond = jnp.take_along_axis(output, batch.y[:, None], axis=1) - output
            output = tap("margins", spec.margin - beyond)
    name = spec.loss if spec.weight_decay else "loss"
    with jax.named_scope(name):
        per_example = LOSS_PER_EXAMPLE[spec.loss](output, batch.y)
        data_loss = tap(name, jnp.sum(per_example) / spec.loss_divisor(len(batch.x)))
    if not spec.weight_decay:
        return data_loss
    with jax.named_scope("penalty"):
        squares = jnp.stack([jnp.sum(params[name] ** 2) for name in spec.penalised])
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
    for layer, phi in enumerate(spec.activations, start=1):
        with jax.named_scope(f"z{layer}"):
            dense = affine if spec.biased(layer) else linear
            z = tap(f"z{layer}", dense(params, layer, h))
        if spec.norm != "none" and layer < spec.depth:
            z = norm(f"norm{layer}", z)
        with jax.named_scope(f"a{layer}"):
            a = tap(f"a{layer}", activation(phi, spec.leak)(z))
        if f"mask{layer}" in masks:
            with jax.named_scope(f"dropped{layer}"):
                a = tap(f"dropped{layer}", a * masks[f"mask{layer}"])
        if spec.adds(layer):
            with jax.named_scope(f"sum{layer}"):
                a = tap(f"sum{layer}", h + a)
        h = a
    return h
