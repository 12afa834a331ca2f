"""The transformer as a JAX user writes it: ``jax.grad`` derives the backward pass."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from gradparity.models import Transformer
from gradparity.operations import positions
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax.norms import inverse_size

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "relu": jax.nn.relu,
}


def predict(
    spec: Transformer, params: Params, x: Int[Array, "n length"], tap: Tap
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    tokens = tap("tokens.out", params["tokens.table"][x])
    if spec.encoding == "learned":
        places = tap("positions.out", params["positions.table"][: x.shape[1]])
    else:
        places = jnp.asarray(sinusoids(x.shape[1], spec.width), tokens.dtype)
    stream = tap("embedded", (jnp.sqrt(spec.width) * tokens if spec.scaled_tokens else tokens) + places)
    for at in spec.places:
        with jax.named_scope(at):
            stream = block(spec, params, at, stream, tap)
    if spec.norm_first:
        stream = norm(spec, params, "norm", stream, tap)
    logits = stream @ (params["tokens.table"].T if spec.tied else params["W"])
    return tap("logits", logits + params["b"] if spec.head_bias else logits)


def sinusoids(length: int, width: int) -> Float[np.ndarray, "length width"]:
    """Return a wave for each pair of columns, its sine and its cosine beside each other."""
    wavelengths = 2 * np.pi * 10_000.0 ** (np.arange(0, width, 2) / width)
    phases = np.outer(np.arange(length), 2 * np.pi / wavelengths)
    return np.stack([np.sin(phases), np.cos(phases)], axis=-1).reshape(length, -1)[:, :width]


def block(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return the stream after a block."""
    norm1, norm2 = (partial(norm, spec, params, f"{at}.{name}", tap=tap) for name in ("norm1", "norm2"))
    if spec.norm_first:
        middle = tap(f"{at}.middle", x + attention(spec, params, at, norm1(x), tap))
        return tap(f"{at}.out", middle + feed_forward(spec, params, at, norm2(middle), tap))
    middle = norm1(tap(f"{at}.middle", x + attention(spec, params, at, x, tap)))
    return norm2(tap(f"{at}.out", middle + feed_forward(spec, params, at, middle, tap)))


def dense(params: Params, at: str, name: str, x: Float[Array, "n length inputs"]) -> Array:
    """Return what a map of the block makes of each position, with a bias where the block has it."""
    return x @ params[f"{at}.W_{name}"] + params.get(f"{at}.b_{name}", 0.0)


def feed_forward(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return what the inner layer makes of each position."""
    up = tap(f"{at}.up", dense(params, at, "up", x))
    active = tap(f"{at}.active", ACTIVATIONS[spec.activation](up))
    return tap(f"{at}.down", dense(params, at, "down", active))


def attention(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return what causal attention brings to each position."""

    def heads(name: str) -> Float[Array, "n heads length part"]:
        mapped = dense(params, at, name, x)
        return tap(f"{at}.{name}", mapped.reshape(*x.shape[:2], spec.heads, -1).swapaxes(1, 2))

    q, k, v = heads("q"), heads("k"), heads("v")
    scores = tap(f"{at}.scores", jnp.einsum("nhqd,nhkd->nhqk", q, k) * (q.shape[-1] ** -0.5 if spec.scaled else 1.0))
    seen = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    weights = tap(f"{at}.weights", jax.nn.softmax(scores, where=seen))
    brought = tap(f"{at}.heads", jnp.einsum("nhqk,nhkd->nhqd", weights, v))
    return tap(f"{at}.attended", dense(params, at, "o", brought.swapaxes(1, 2).reshape(x.shape)))


def norm(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return layer norm or RMS norm of every position."""
    if spec.norm == "rms":
        scale = tap(f"{at}.scale", inverse_size(jnp.mean(x**2, axis=-1, keepdims=True), spec.convention))
        return tap(f"{at}.out", x * scale * params[f"{at}.gain"])
    centred = tap(f"{at}.centred", x - x.mean(axis=-1, keepdims=True))
    variance = jnp.sum(centred**2, axis=-1, keepdims=True) / (x.shape[-1] - spec.unbiased)
    scale = tap(f"{at}.scale", inverse_size(variance, spec.convention))
    return tap(f"{at}.out", centred * scale * params[f"{at}.gain"] + params.get(f"{at}.bias", 0.0))


def loss(spec: Transformer, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    logits = predict(spec, params, batch.x, tap)
    with jax.named_scope("loss"):
        per_token = optax.softmax_cross_entropy_with_integer_labels(logits, batch.y)
        return tap("loss", positions.factor(spec.reduction, *batch.y.shape) * jnp.sum(per_token))
