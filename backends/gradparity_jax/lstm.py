"""The LSTM as a JAX user writes it: a scan over time, which ``jax.grad`` goes back through."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Float, Int

from gradparity.models import LSTM
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax import recurrent
from gradparity_jax.recurrent import NO_EXTRAS


def predict(
    spec: LSTM, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    bias = params["b"] if spec.biases == "one" else params["b_x"] + params["b_h"]

    def step(carry: tuple[Array, Array], x_t: Array) -> tuple[tuple[Array, Array], Array]:
        h, cell = carry
        z = tap("z", x_t @ params["W_x"] + h @ params["W_h"] + bias)
        gates = dict(zip(spec.gates, jnp.split(z, 4, axis=1), strict=True))
        i = tap("i", sigmoid(gates["i"]))
        f = tap("f", sigmoid(gates["f"]))
        g = tap("g", jnp.tanh(gates["g"]))
        o = tap("o", sigmoid(gates["o"]))
        cell = tap("cell", f * cell + i * g)
        h = tap("h", o * jnp.tanh(cell))
        return (h, cell), h

    start = recurrent.start("h0", params, x, extras), recurrent.start("cell0", params, x, extras)
    return recurrent.logits_over_time(spec, params, x, tap, step, start)


def loss(spec: LSTM, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
