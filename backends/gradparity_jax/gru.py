"""The GRU as a JAX user writes it: a scan over time, which ``jax.grad`` goes back through."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax.nn import sigmoid
from jaxtyping import Float, Int

from gradparity.models import GRU
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax import recurrent
from gradparity_jax.recurrent import NO_EXTRAS


def predict(
    spec: GRU, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    gates_of_state = spec.convention.gates_of_state

    def step(h: Array, x_t: Array) -> tuple[Array, Array]:
        from_x = tap("from_x", x_t @ params["W_x"] + params["b_x"])
        from_h = tap("from_h", h @ params["W_h"] + (params["b_h"] if spec.reset_after else 0))
        of_x = dict(zip(spec.gates, jnp.split(from_x, 3, axis=1), strict=True))
        of_h = dict(zip(gates_of_state, jnp.split(from_h, len(gates_of_state), axis=1), strict=True))
        r = tap("r", sigmoid(of_x["r"] + of_h["r"]))
        u = tap("u", sigmoid(of_x["u"] + of_h["u"]))
        new = r * of_h["n"] if spec.reset_after else tap("gated", r * h) @ params["W_n"]
        n = tap("n", jnp.tanh(tap("candidate", of_x["n"] + new)))
        h = tap("h", u * h + (1 - u) * n if spec.update_keeps else (1 - u) * h + u * n)
        return h, h

    return recurrent.logits_over_time(spec, params, x, tap, step, recurrent.start("h0", params, x, extras))


def loss(spec: GRU, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
