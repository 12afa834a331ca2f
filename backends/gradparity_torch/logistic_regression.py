"""Logistic regression as a PyTorch user writes it; gradparity.models.LogisticRegression has the conventions."""

import torch
from jaxtyping import Float
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import LogisticRegression
from gradparity.protocol import Array, Batch, Params, Tap


def predict(spec: LogisticRegression, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n 1"]:
    """Return the logit of the positive class."""
    del spec
    return tap("logits", torch.addmm(params["b"], x, params["W"]))


def loss(spec: LogisticRegression, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the binary cross-entropy of the batch, plus the penalty where there is weight decay."""
    logits = predict(spec, params, batch.x, tap)
    target = (batch.y == spec.positive).to(logits.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(logits.squeeze(1), target, reduction=spec.reduction)
    if spec.weight_decay == 0:
        return tap("loss", cross_entropy)
    cross_entropy = tap("cross_entropy", cross_entropy)
    penalty = tap(
        "penalty", spec.penalty_factor(len(logits)) * sum(params[name].square().sum() for name in spec.penalised)
    )
    return tap("loss", cross_entropy + penalty)
