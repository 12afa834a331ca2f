"""Logistic regression by hand: the gradient at each logit is its probability minus its target.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.2, equation 4.91.
"""

from typing import Any

from jaxtyping import Float, Inexact, Int

from gradparity.models import LogisticRegression
from gradparity.operations import reductions
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, namespace, sigmoid_cross_entropy, squares

LOGITS = {"out": "logits"}


def predict(
    spec: LogisticRegression,  # noqa: ARG001 - every model's predict takes its spec
    p: Params,
    x: Float[Array, "n features"],
    c: Any,
) -> Inexact[Array, "n 1"]:
    """Write and return the logits."""
    return affine.forward(p, x, View(c, LOGITS))


def forward(spec: LogisticRegression, p: Params, batch: Batch, c: Any) -> None:
    """Write the logits and the loss to c; with weight decay, the loss's two terms as well."""
    n = batch.x.shape[0]
    logits = predict(spec, p, batch.x, c)
    per_example = sigmoid_cross_entropy.forward(logits, targets(spec, batch.y, like=logits))
    data_loss = per_example.sum() / reductions.divisor(spec.reduction, n)
    squares.with_penalty(spec, "cross_entropy", data_loss, p, n, c)


def backward(spec: LogisticRegression, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n = batch.x.shape[0]
    upstream = squares.with_penalty_backward(spec, "cross_entropy", p, n, d)
    per_logit = sigmoid_cross_entropy.backward(c["logits"], targets(spec, batch.y, like=c["logits"]))
    d["logits"] = upstream / reductions.divisor(spec.reduction, n) * per_logit
    affine.backward(batch.x, View(d, LOGITS))


def targets(spec: LogisticRegression, y: Int[Array, " n"], like: Inexact[Array, "n 1"]) -> Inexact[Array, "n 1"]:
    """1 for the positive class, 0 for every other label, in the dtype of ``like``."""
    return namespace(like).astype(y == spec.positive, like.dtype)[:, None]  # (n, 1)
