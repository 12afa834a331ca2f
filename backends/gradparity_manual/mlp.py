"""The multilayer perceptron by hand: the same few operations per layer, from the loss back to the first weights.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from jaxtyping import Float, Inexact

from gradparity.models import MLP
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import (
    affine,
    batch_norm,
    cross_entropy,
    dropout,
    entrywise,
    hinge,
    layer_norm,
    linear,
    sigmoid_cross_entropy,
    squares,
)

LOSSES = {
    "cross_entropy": (cross_entropy.forward, cross_entropy.backward),
    "squared_error": (squares.error, squares.error_backward),
    "sigmoid_cross_entropy": (sigmoid_cross_entropy.forward, sigmoid_cross_entropy.backward),
    "hinge": (hinge.forward, hinge.backward),
    "squared_hinge": (hinge.squared, hinge.squared_backward),
    "binary_hinge": (hinge.binary, hinge.binary_backward),
    "squared_binary_hinge": (hinge.squared_binary, hinge.squared_binary_backward),
}
"""Of each example, and its gradient with respect to the example's row."""
MARGINS = {"out": "margins"}


def predict(spec: MLP, p: Params, x: Float[Array, "n features"], c: Any) -> Inexact[Array, "n outputs"]:
    """Return the last activation; nothing is dropped, and a batch norm takes its running mean and variance."""

    def normalised(at: str, z: Array) -> Array:
        if spec.norm == "batch":
            return batch_norm.predict(View(p, at), z, spec.size)
        return layer_norm.forward(View(p, at), z, View(c, at), spec.size)

    return _output(spec, p, x, c, normalised, {})


def forward(spec: MLP, p: Params, batch: Batch, c: Any) -> None:
    """Write every layer and the loss to c."""
    norm = batch_norm if spec.norm == "batch" else layer_norm

    def normalised(at: str, z: Array) -> Array:
        return norm.forward(View(p, at), z, View(c, at), spec.size)

    n = batch.x.shape[0]
    output = _output(spec, p, batch.x, c, normalised, batch.extras)
    if spec.has_margins:
        margins = hinge.binary_margins if spec.real_targets else hinge.margins
        output = margins(output, batch.y, View(c, MARGINS), spec.margin)
    per_example, _ = LOSSES[spec.loss]
    data_loss = per_example(output, batch.y).sum() / spec.loss_divisor(n)
    squares.with_penalty(spec, spec.loss, data_loss, p, n, c)


def _output(
    spec: MLP,
    p: Params,
    x: Float[Array, "n features"],
    c: Any,
    normalised: Callable[[str, Array], Array],
    masks: Any,
) -> Inexact[Array, "n outputs"]:
    """Write each layer's pre-activation z and activation a, and what is made of them; return the last."""
    a = x
    for layer, phi in enumerate(spec.activations, start=1):
        at_z, at_a = names(layer)
        below = a
        dense = affine if spec.biased(layer) else linear
        z = dense.forward(View(p, at_z), below, View(c, at_z))
        if spec.before(layer) != at_z["out"]:
            z = normalised(f"norm{layer}", z)
        a = entrywise.forward(phi, z, View(c, at_a), spec.leak)
        if f"mask{layer}" in masks:
            a = dropout.forward(a, masks[f"mask{layer}"], View(c, {"out": f"dropped{layer}"}))
        if spec.adds(layer):
            a = c[f"sum{layer}"] = below + a
    return a


def backward(spec: MLP, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    n = batch.x.shape[0]
    each = squares.with_penalty_backward(spec, spec.loss, p, n, d) / spec.loss_divisor(n)
    output, (_, per_output) = f"a{spec.depth}", LOSSES[spec.loss]
    if spec.has_margins:
        d["margins"] = each * per_output(c["margins"], batch.y)
        of_scores = hinge.binary_margins_backward if spec.real_targets else hinge.margins_backward
        d[output] = of_scores(batch.y, View(d, MARGINS))
    else:
        d[output] = each * per_output(c[output], batch.y)
    for layer in range(spec.depth, 0, -1):
        _layer_backward(spec, layer, p, batch, c, d)


def _layer_backward(spec: MLP, layer: int, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradients of a layer's names, and what its input receives."""
    (at_z, at_a), phi, below = names(layer), spec.activations[layer - 1], _name_of_output(spec, layer - 1)
    adds = spec.adds(layer)
    dropped, mask = f"dropped{layer}", batch.extras.get(f"mask{layer}")
    if adds:
        d[at_a["out"] if mask is None else dropped] = d[f"sum{layer}"]
    if mask is not None:
        d[at_a["out"]] = dropout.backward(mask, View(d, {"out": dropped}))
    z, before = at_z["out"], spec.before(layer)
    d[before] = entrywise.backward(phi, c[before], View(c, at_a), View(d, at_a), spec.leak)
    if before != z:
        norm, at = (batch_norm if spec.norm == "batch" else layer_norm), f"norm{layer}"
        d[z] = norm.backward(View(p, at), c[z], View(c, at), View(d, at), spec.size)
    dense = affine if spec.biased(layer) else linear
    dense.backward(batch.x if layer == 1 else c[below], View(d, at_z))
    if layer > 1:
        d.add(below, dense.share_of_input(View(p, at_z), View(d, at_z)))
        if adds:
            d.add(below, d[f"sum{layer}"])


def _name_of_output(spec: MLP, layer: int) -> str:
    """Return what the next layer reads."""
    if spec.adds(layer):
        return f"sum{layer}"
    return f"dropped{layer}" if spec.dropout and layer < spec.depth else f"a{layer}"


@cache
def names(layer: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the layer's affine map and its activation call their arrays here."""
    return {"W": f"W{layer}", "b": f"b{layer}", "out": f"z{layer}"}, {"out": f"a{layer}"}
