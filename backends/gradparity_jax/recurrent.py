"""What the recurrent character models share around their cell, as a JAX user writes it."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, Int

from gradparity.operations import positions
from gradparity.operations.recurrent import Recurrent
from gradparity.protocol import Array, Params, Tap

NO_EXTRAS: Mapping[str, Array] = {}


def logits_over_time(
    spec: Recurrent,
    params: Params,
    x: Int[Array, "n length"],
    tap: Tap,
    step: Callable[[Any, Float[Array, "n inputs"]], tuple[Any, Float[Array, "n hidden"]]],
    start: Any,
) -> Float[Array, "n length vocabulary"]:
    """Scan a cell over the inputs; map every state to its logits."""
    with jax.named_scope("inputs"):
        if spec.inputs == "embedding":
            inputs = tap("inputs", params["table"][x])
        else:
            inputs = jax.nn.one_hot(x, spec.vocabulary, dtype=params["W_x"].dtype)
    _, states = jax.lax.scan(step, start, inputs.swapaxes(0, 1))
    states = tap("states", states.swapaxes(0, 1))
    with jax.named_scope("logits"):
        return tap("logits", states @ params["W_y"] + params["b_y"])


def start(
    name: str, params: Params, x: Int[Array, "n length"], extras: Mapping[str, Array]
) -> Float[Array, "n hidden"]:
    """Return the state before the first step: the extra of this name, or zeros."""
    weights = params["W_h"]
    return extras[name] if name in extras else jnp.zeros((len(x), len(weights)), weights.dtype)


def loss(
    reduction: str, logits: Float[Array, "n length vocabulary"], y: Int[Array, "n length"], tap: Tap
) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced over positions and sequences."""
    with jax.named_scope("loss"):
        per_token = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return tap("loss", positions.factor(reduction, *y.shape) * jnp.sum(per_token))
