"""Logistic regression as a JAX user writes it: ``jax.grad`` derives the backward pass."""

import jax
import optax
from jaxtyping import Float

from gradparity.models import LogisticRegression
from gradparity.protocol import Array, Batch, Params, Tap


def predict(
    spec: LogisticRegression,  # noqa: ARG001 - every model's predict takes its spec
    params: Params,
    x: Float[Array, "n features"],
    tap: Tap,
) -> Float[Array, "n 1"]:
    """Return the logit of the positive class."""
    with jax.named_scope("logits"):
        return tap("logits", x @ params["W"] + params["b"])


def loss(spec: LogisticRegression, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the sigmoid cross-entropy of the batch, a mean or a sum, plus the penalty where λ > 0."""
    logits = predict(spec, params, batch.x, tap)
    name = "cross_entropy" if spec.weight_decay else "loss"
    with jax.named_scope(name):
        per_example = optax.sigmoid_binary_cross_entropy(logits[:, 0], batch.y == spec.positive)
        cross_entropy = tap(name, per_example.mean() if spec.reduction == "mean" else per_example.sum())
    if not spec.weight_decay:
        return cross_entropy
    with jax.named_scope("penalty"):
        penalised = {name: params[name] for name in spec.penalised}
        penalty = tap("penalty", spec.penalty_factor(len(batch.x)) * optax.tree.norm(penalised, squared=True))
    with jax.named_scope("loss"):
        return tap("loss", cross_entropy + penalty)
