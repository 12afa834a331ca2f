"""The multilayer perceptron by hand: the same two lines per layer, from the loss back to the first weights.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import MLP
from gradparity.protocol import Array, Batch, Params
from gradparity_manual.elementary import ACTIVATIONS, Activation, cross_entropy, one_hot, softmax


def predict(spec: MLP, p: Params, x: Float[Array, "n features"], c: Any) -> Inexact[Array, "n outputs"]:
    """Write each layer's pre-activation z and activation a; return the last activation."""
    a = x
    for layer in range(1, spec.depth + 1):
        c[f"z{layer}"] = a @ p[f"W{layer}"] + p[f"b{layer}"]
        c[f"a{layer}"] = activation(spec, layer).function(c[f"z{layer}"])
        a = c[f"a{layer}"]
    return a


def forward(spec: MLP, p: Params, batch: Batch, c: Any) -> None:
    """Write every layer and the loss to c."""
    output = predict(spec, p, batch.x, c)
    if spec.loss == "cross_entropy":
        per_example = cross_entropy(output, batch.y)
    else:
        per_example = ((output - batch.y) ** 2).sum(axis=1)
    c["loss"] = loss_scale(spec, batch) * per_example.sum()


def backward(spec: MLP, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    output = c[f"a{spec.depth}"]
    if spec.loss == "cross_entropy":
        per_output = softmax(output) - one_hot(batch.y, like=output)
    else:
        per_output = 2 * (output - batch.y)
    d[f"a{spec.depth}"] = d["loss"] * loss_scale(spec, batch) * per_output

    for layer in range(spec.depth, 0, -1):
        z, a = c[f"z{layer}"], c[f"a{layer}"]
        d[f"z{layer}"] = d[f"a{layer}"] * activation(spec, layer).derivative(z, a)
        dz = d[f"z{layer}"]
        below = batch.x if layer == 1 else c[f"a{layer - 1}"]
        d[f"W{layer}"] = below.T @ dz
        d[f"b{layer}"] = dz.sum(axis=0)
        if layer > 1:
            d[f"a{layer - 1}"] = dz @ p[f"W{layer}"].T


def activation(spec: MLP, layer: int) -> Activation:
    """Return the activation after this layer: the last layer has its own."""
    return ACTIVATIONS[spec.output_activation if layer == spec.depth else spec.activation]


def loss_scale(spec: MLP, batch: Batch) -> float:
    """Return the factor in front of the sum over examples."""
    n = int(batch.x.shape[0])
    return {"mean": 1 / n, "sum": 1.0, "half-sum": 0.5}[spec.reduction]
