"""A convolutional network as a JAX user writes it: ``jax.grad`` derives the backward pass."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from gradparity.models import ConvNet
from gradparity.operations.windows import Windows
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax.mlp import activation
from gradparity_jax.norms import batch_norm, running_norm


def predict(spec: ConvNet, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n classes"]:
    """Return the logits, with the running statistics."""
    return _logits(spec, params, x, tap, lambda place, z: running_norm(params, place, z, spec.size))


def loss(spec: ConvNet, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of the batch, normalised with its own statistics, plus the penalty where λ > 0."""
    logits = _logits(spec, params, batch.x, tap, lambda place, z: batch_norm(params, place, z, tap, spec.size))
    name = "cross_entropy" if spec.weight_decay else "loss"
    with jax.named_scope(name):
        per_example = optax.softmax_cross_entropy_with_integer_labels(logits, batch.y)
        data_loss = tap(name, per_example.mean() if spec.reduction == "mean" else per_example.sum())
    if not spec.weight_decay:
        return data_loss
    with jax.named_scope("penalty"):
        squares = optax.tree.norm([params[name] for name in spec.penalised], squared=True)
        penalty = tap("penalty", spec.penalty_factor(len(batch.x)) * squares)
    with jax.named_scope("loss"):
        return tap("loss", data_loss + penalty)


def _logits(
    spec: ConvNet, params: Params, x: Float[Array, "n features"], tap: Tap, norm: Callable[[str, Array], Array]
) -> Float[Array, "n classes"]:
    phi = activation(spec.activation, spec.leak)
    a = x.reshape(len(x), *spec.image)
    for k, _ in enumerate(spec.channels, start=1):
        with jax.named_scope(f"conv{k}.out"):
            padding = [(pad, pad) for pad in spec.padding]
            z = jax.lax.conv_general_dilated(a, params[f"conv{k}.W"], spec.stride, padding)
            if not spec.batch_norm:
                z = z + params[f"conv{k}.b"][:, None, None]
            z = tap(f"conv{k}.out", z)
        if spec.batch_norm:
            z = norm(f"norm{k}", z)
        with jax.named_scope(f"a{k}"):
            a = tap(f"a{k}", phi(z))
        with jax.named_scope(f"pool{k}.windows"):
            windows = tap(f"pool{k}.windows", under_windows(a, spec.at_pool))
        with jax.named_scope(f"pool{k}.out"):
            a = tap(f"pool{k}.out", first_largest(windows) if spec.pooling == "max" else windows.mean(axis=-1))
    a = a.reshape(len(x), -1)
    for k, _ in enumerate(spec.hidden, start=1):
        with jax.named_scope(f"dense{k}.out"):
            z = tap(f"dense{k}.out", a @ params[f"dense{k}.W"] + params[f"dense{k}.b"])
        with jax.named_scope(f"h{k}"):
            a = tap(f"h{k}", phi(z))
    last = f"dense{len(spec.hidden) + 1}"
    with jax.named_scope(f"{last}.out"):
        return tap(f"{last}.out", a @ params[f"{last}.W"] + params[f"{last}.b"])


def under_windows(a: Float[Array, "n channels h w"], at: Windows) -> Float[Array, "n channels down across places"]:
    """Return what each window holds."""
    (down, across), (high, wide), (step_down, step_across) = at.counts(*a.shape[2:]), at.size, at.stride
    rows = step_down * jnp.arange(down)[:, None] + jnp.arange(high)
    columns = step_across * jnp.arange(across)[:, None] + jnp.arange(wide)
    return a[:, :, rows[:, None, :, None], columns[None, :, None, :]].reshape(*a.shape[:2], down, across, -1)


def first_largest(windows: Float[Array, "*windows places"]) -> Float[Array, "*windows"]:
    """Return the maximum. The gradient of jnp.max is shared among entries that tie."""
    return jnp.take_along_axis(windows, windows.argmax(axis=-1, keepdims=True), axis=-1)[..., 0]
