"""The plain recurrent network as a JAX user writes it: a scan over time, which ``jax.grad`` goes back through."""

from collections.abc import Mapping

import jax.numpy as jnp
from jaxtyping import Float, Int

from gradparity.models import RNN
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax import recurrent
from gradparity_jax.recurrent import NO_EXTRAS


def predict(
    spec: RNN, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    bias = params["b"] if spec.biases == "one" else params["b_x"] + params["b_h"]

    def step(h: Array, x_t: Array) -> tuple[Array, Array]:
        z = tap("z", x_t @ params["W_x"] + h @ params["W_h"] + bias)
        h = tap("h", jnp.tanh(z))
        return h, h

    return recurrent.logits_over_time(spec, params, x, tap, step, recurrent.start("h0", params, x, extras))


def loss(spec: RNN, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
