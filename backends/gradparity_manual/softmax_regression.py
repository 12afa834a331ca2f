"""Softmax regression by hand: logits, cross-entropy, and the gradient P − Y that both collapse to.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4, equation 4.109.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import SoftmaxRegression
from gradparity.protocol import Array, Batch, Params
from gradparity_manual.elementary import cross_entropy, one_hot, softmax


def predict(
    spec: SoftmaxRegression,  # noqa: ARG001
    p: Params,
    x: Float[Array, "n features"],
    c: Any,
) -> Inexact[Array, "n classes"]:
    """Write and return the logits."""
    c["logits"] = x @ p["W"] + p["b"]
    return c["logits"]


def forward(spec: SoftmaxRegression, p: Params, batch: Batch, c: Any) -> None:
    """Write the logits and the loss to c; with weight decay, the loss's two terms as well."""
    predict(spec, p, batch.x, c)
    data_loss = cross_entropy(c["logits"], batch.y).mean()
    if spec.weight_decay == 0:
        c["loss"] = data_loss
        return
    c["cross_entropy"] = data_loss
    c["penalty"] = spec.weight_decay / 2 * (p["W"] ** 2).sum()
    c["loss"] = c["cross_entropy"] + c["penalty"]


def backward(spec: SoftmaxRegression, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    data_term = "loss"
    if spec.weight_decay > 0:
        data_term = "cross_entropy"
        d["cross_entropy"] = d["loss"]
        d["penalty"] = d["loss"]
        d.add("W", d["penalty"] * spec.weight_decay * p["W"])
    n = batch.x.shape[0]
    d["logits"] = d[data_term] / n * (softmax(c["logits"]) - one_hot(batch.y, like=c["logits"]))
    d.add("W", batch.x.T @ d["logits"])
    d["b"] = d["logits"].sum(axis=0)
