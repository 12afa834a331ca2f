"""Batch norm and layer norm as a JAX user writes them; in prediction a batch norm takes running means and variances."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from gradparity.operations.batch_norm import count_of
from gradparity.operations.layer_norm import NormConvention
from gradparity.protocol import Array, Params, Tap


def batch_norm(
    params: Params, place: str, x: Float[Array, "n channels *at"], tap: Tap, size: NormConvention
) -> Float[Array, "n channels *at"]:
    """Normalise each channel over the batch. Raises UsageError for a channel of a single number."""
    count_of(x.shape)
    axes = (0, *range(2, x.ndim))
    with jax.named_scope(f"{place}.mean"):
        mean = tap(f"{place}.mean", jnp.mean(x, axes))
    with jax.named_scope(f"{place}.centred"):
        centred = tap(f"{place}.centred", x - _beside(mean, x))
    with jax.named_scope(f"{place}.variance"):
        degrees = x.size // x.shape[1] - size.unbiased
        variance = tap(f"{place}.variance", jnp.sum(jnp.square(centred), axes) / degrees)
    with jax.named_scope(f"{place}.scale"):
        scale = tap(f"{place}.scale", inverse_size(variance, size))
    with jax.named_scope(f"{place}.out"):
        gain, bias = _beside(params[f"{place}.gain"], x), _beside(params[f"{place}.bias"], x)
        return tap(f"{place}.out", centred * _beside(scale, x) * gain + bias)


def layer_norm(
    params: Params, place: str, x: Float[Array, "n width"], tap: Tap, size: NormConvention
) -> Float[Array, "n width"]:
    """Normalise each row."""
    with jax.named_scope(f"{place}.centred"):
        centred = tap(f"{place}.centred", x - x.mean(axis=-1, keepdims=True))
    with jax.named_scope(f"{place}.scale"):
        variance = jnp.sum(jnp.square(centred), axis=-1, keepdims=True) / (x.shape[-1] - size.unbiased)
        scale = tap(f"{place}.scale", inverse_size(variance, size))
    with jax.named_scope(f"{place}.out"):
        return tap(f"{place}.out", centred * scale * params[f"{place}.gain"] + params[f"{place}.bias"])


def running_norm(
    params: Params, place: str, x: Float[Array, "n channels *at"], size: NormConvention
) -> Float[Array, "n channels *at"]:
    """Normalise each channel with its running mean and variance, which are beside the parameters."""
    mean, variance, gain, bias = (
        _beside(params[f"{place}.{name}"], x) for name in ("mean", "variance", "gain", "bias")
    )
    return (x - mean) * inverse_size(variance, size) * gain + bias


def inverse_size(variance: Float[Array, "*shape"], size: NormConvention) -> Float[Array, "*shape"]:
    """1/√(variance + ε), or with ε outside of the root."""
    if size.epsilon_outside:
        # The slope of a root at 0 is infinite, and 0 times that no number: where nothing varies, none is asked for.
        varies = variance > 0
        return 1 / (jnp.where(varies, jnp.sqrt(jnp.where(varies, variance, 1.0)), 0.0) + size.epsilon)
    return jax.lax.rsqrt(variance + size.epsilon)


def _beside(each: Float[Array, " channels"], x: Float[Array, "n channels *at"]) -> Float[Array, "1 channels *ones"]:
    return jnp.expand_dims(each, (0, *range(2, x.ndim)))
