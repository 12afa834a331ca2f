"""Linear regression by hand: the squared error falls along 2 (A − Y), and every weight gathers its share of that.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), sections 3.1.1 and 3.1.4.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import LinearRegression
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, squares

PREDICTION = {"out": "prediction"}
PENALTY = {"out": "penalty"}


def predict(
    spec: LinearRegression,  # noqa: ARG001
    p: Params,
    x: Float[Array, "n features"],
    c: Any,
) -> Inexact[Array, "n outputs"]:
    """Write and return the prediction."""
    return affine.forward(p, x, View(c, PREDICTION))


def forward(spec: LinearRegression, p: Params, batch: Batch, c: Any) -> None:
    """Write the prediction and the loss to c; with weight decay, the loss's two terms as well."""
    n = batch.x.shape[0]
    data_loss = squares.error(predict(spec, p, batch.x, c), batch.y).sum() / spec.loss_divisor(n)
    if spec.weight_decay == 0:
        c["loss"] = data_loss
        return
    c["squared_error"] = data_loss
    squares.penalty(p, spec.penalised, spec.penalty_factor(n), View(c, PENALTY))
    c["loss"] = c["squared_error"] + c["penalty"]


def backward(spec: LinearRegression, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n = batch.x.shape[0]
    data_term = "loss"
    if spec.weight_decay > 0:
        data_term = "squared_error"
        d["squared_error"] = d["loss"]
        d["penalty"] = d["loss"]
        squares.penalty_backward(p, spec.penalised, spec.penalty_factor(n), View(d, PENALTY))
    d["prediction"] = d[data_term] / spec.loss_divisor(n) * squares.error_backward(c["prediction"], batch.y)
    affine.backward(batch.x, View(d, PREDICTION))
