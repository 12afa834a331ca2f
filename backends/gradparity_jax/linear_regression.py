"""Linear regression as a JAX user writes it: ``jax.grad`` derives the backward pass."""

import jax
import optax
from jaxtyping import Float

from gradparity.models import LinearRegression
from gradparity.protocol import Array, Batch, Params, Tap


def predict(
    spec: LinearRegression,  # noqa: ARG001 - every model's predict takes its spec
    params: Params,
    x: Float[Array, "n features"],
    tap: Tap,
) -> Float[Array, "n outputs"]:
    """Return the prediction."""
    with jax.named_scope("prediction"):
        return tap("prediction", x @ params["W"] + params["b"])


def loss(spec: LinearRegression, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the squared error, reduced as the spec says, plus the penalty where λ > 0."""
    prediction = predict(spec, params, batch.x, tap)
    name = "squared_error" if spec.weight_decay else "loss"
    with jax.named_scope(name):
        error = tap(name, optax.squared_error(prediction, batch.y).sum() / spec.loss_divisor(len(batch.x)))
    if not spec.weight_decay:
        return error
    with jax.named_scope("penalty"):
        penalised = {name: params[name] for name in spec.penalised}
        penalty = tap("penalty", spec.penalty_factor(len(batch.x)) * optax.tree.norm(penalised, squared=True))
    with jax.named_scope("loss"):
        return tap("loss", error + penalty)
