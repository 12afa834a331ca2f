"""The multilayer perceptron by hand: the same two operations per layer, from the loss back to the first weights.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from functools import cache
from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import MLP
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, cross_entropy, entrywise, squares


def predict(spec: MLP, p: Params, x: Float[Array, "n features"], c: Any) -> Inexact[Array, "n outputs"]:
    """Write each layer's pre-activation z and activation a; return the last activation."""
    a = x
    for layer, phi in enumerate(spec.activations, start=1):
        at_z, at_a = names(layer)
        z = affine.forward(View(p, at_z), a, View(c, at_z))
        a = entrywise.forward(phi, z, View(c, at_a))
    return a


def forward(spec: MLP, p: Params, batch: Batch, c: Any) -> None:
    """Write every layer and the loss to c."""
    output = predict(spec, p, batch.x, c)
    per_example = cross_entropy.forward if spec.loss == "cross_entropy" else squares.error
    c["loss"] = per_example(output, batch.y).sum() / spec.loss_divisor(batch.x.shape[0])


def backward(spec: MLP, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    per_output = cross_entropy.backward if spec.loss == "cross_entropy" else squares.error_backward
    output = f"a{spec.depth}"
    d[output] = d["loss"] / spec.loss_divisor(batch.x.shape[0]) * per_output(c[output], batch.y)

    activations = spec.activations
    for layer in range(spec.depth, 0, -1):
        at_z, at_a = names(layer)
        z, phi = c[f"z{layer}"], activations[layer - 1]
        d[f"z{layer}"] = entrywise.backward(phi, z, View(c, at_a), View(d, at_a))
        affine.backward(batch.x if layer == 1 else c[f"a{layer - 1}"], View(d, at_z))
        if layer > 1:
            d[f"a{layer - 1}"] = affine.share_of_input(View(p, at_z), View(d, at_z))


@cache
def names(layer: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the layer's affine map and its activation call their arrays here."""
    return {"W": f"W{layer}", "b": f"b{layer}", "out": f"z{layer}"}, {"out": f"a{layer}"}
