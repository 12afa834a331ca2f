"""Linear regression as a PyTorch user writes it; gradparity.models.LinearRegression has the conventions."""

import torch
from jaxtyping import Float
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import LinearRegression
from gradparity.protocol import Array, Batch, Params, Tap


def predict(
    spec: LinearRegression, params: Params, x: Float[Array, "n features"], tap: Tap
) -> Float[Array, "n outputs"]:
    """Return the prediction."""
    del spec
    return tap("prediction", torch.addmm(params["b"], x, params["W"]))


def loss(spec: LinearRegression, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the squared error, plus the penalty where there is weight decay."""
    prediction = predict(spec, params, batch.x, tap)
    # Not reduction="mean", which in PyTorch is over the outputs too: here that is "mean-of-entries".
    error = F.mse_loss(prediction, batch.y, reduction="sum") / spec.loss_divisor(len(prediction))
    if spec.weight_decay == 0:
        return tap("loss", error)
    error = tap("squared_error", error)
    penalty = tap(
        "penalty", spec.penalty_factor(len(prediction)) * sum(params[name].square().sum() for name in spec.penalised)
    )
    return tap("loss", error + penalty)
