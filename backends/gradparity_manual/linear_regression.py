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


def predict(
    spec: LinearRegression,  # noqa: ARG001 - every model's predict takes its spec
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
    squares.with_penalty(spec, "squared_error", data_loss, p, n, c)


def backward(spec: LinearRegression, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n = batch.x.shape[0]
    upstream = squares.with_penalty_backward(spec, "squared_error", p, n, d)
    d["prediction"] = upstream / spec.loss_divisor(n) * squares.error_backward(c["prediction"], batch.y)
    affine.backward(batch.x, View(d, PREDICTION))
