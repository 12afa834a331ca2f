"""Softmax regression by hand: logits, cross-entropy, and the gradient P − Y that both collapse to.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4, equation 4.109.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import SoftmaxRegression
from gradparity.operations import reductions
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, cross_entropy, squares
from gradparity_manual.operations.cross_entropy import one_hot, softmax

LOGITS = {"out": "logits"}


def predict(
    spec: SoftmaxRegression,  # noqa: ARG001 - every model's predict takes its spec
    p: Params,
    x: Float[Array, "n features"],
    c: Any,
) -> Inexact[Array, "n classes"]:
    """Write and return the logits."""
    return affine.forward(p, x, View(c, LOGITS))


def forward(spec: SoftmaxRegression, p: Params, batch: Batch, c: Any) -> None:
    """Write the logits and the loss to c; with weight decay, the loss's two terms as well."""
    n = batch.x.shape[0]
    logits = predict(spec, p, batch.x, c)
    data_loss = cross_entropy.forward(logits, batch.y).sum() / reductions.divisor(spec.reduction, n)
    squares.with_penalty(spec, "cross_entropy", data_loss, p, n, c)


def backward(spec: SoftmaxRegression, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n = batch.x.shape[0]
    each = squares.with_penalty_backward(spec, "cross_entropy", p, n, d) / reductions.divisor(spec.reduction, n)
    d["logits"] = each * (softmax(c["logits"]) - one_hot(batch.y, like=c["logits"]))
    affine.backward(batch.x, View(d, LOGITS))
