"""Softmax regression as a PyTorch user writes it; gradparity.models.SoftmaxRegression has the conventions."""

import torch
from jaxtyping import Float
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import SoftmaxRegression
from gradparity.protocol import Array, Batch, Params, Tap


def predict(
    spec: SoftmaxRegression, params: Params, x: Float[Array, "n features"], tap: Tap
) -> Float[Array, "n classes"]:
    """Return the logits."""
    del spec
    return tap("logits", torch.addmm(params["b"], x, params["W"]))


def loss(spec: SoftmaxRegression, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of the batch, plus the penalty where there is weight decay."""
    logits = predict(spec, params, batch.x, tap)
    cross_entropy = F.cross_entropy(logits, batch.y, reduction=spec.reduction)
    if spec.weight_decay == 0:
        return tap("loss", cross_entropy)
    cross_entropy = tap("cross_entropy", cross_entropy)
    penalty = tap(
        "penalty", spec.penalty_factor(len(logits)) * sum(params[name].square().sum() for name in spec.penalised)
    )
    return tap("loss", cross_entropy + penalty)
