"""The multilayer perceptron as a PyTorch user writes it; gradparity.models.MLP states the conventions."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import MLP
from gradparity.operations import entrywise
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch.norms import batch_norm, layer_norm, running_norm

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=entrywise.LEAK),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "identity": lambda z: z,
}


def hinge(scores: Float[Array, "n classes"], y: Int[Array, " n"], tap: Tap) -> Float[Array, ""]:
    """Return by how much the other classes come within 1 of the label's score; F.multi_margin_loss shows no margins."""
    label = y.unsqueeze(1)
    margins = tap("margins", scores - scores.gather(1, label) + 1)
    return F.relu(margins).scatter(1, label, 0.0).sum()


# Not reduction="mean": for real targets PyTorch's mean is over the outputs too.
TOTAL_LOSS: dict[str, Callable[[Array, Array, Tap], Array]] = {
    "cross_entropy": lambda a, y, _: F.cross_entropy(a, y, reduction="sum"),
    "squared_error": lambda a, y, _: F.mse_loss(a, y, reduction="sum"),
    "sigmoid_cross_entropy": lambda a, y, _: F.binary_cross_entropy_with_logits(a, y, reduction="sum"),
    "hinge": hinge,
}


def predict(spec: MLP, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n outputs"]:
    """Return the last activation; nothing is dropped, and a batch norm takes its running mean and variance."""

    def norm(place: str, z: Array) -> Array:
        if spec.norm == "batch":
            return running_norm(params, place, z, spec.size)
        return layer_norm(params, place, z, tap, spec.size)

    return _output(spec, params, x, tap, norm, {})


def loss(spec: MLP, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the loss, reduced over the examples as the spec says, plus the penalty where there is weight decay."""
    normalise = batch_norm if spec.norm == "batch" else layer_norm

    def norm(place: str, z: Array) -> Array:
        return normalise(params, place, z, tap, spec.size)

    output = _output(spec, params, batch.x, tap, norm, batch.extras)
    data_loss = TOTAL_LOSS[spec.loss](output, batch.y, tap) / spec.loss_divisor(len(output))
    if spec.weight_decay == 0:
        return tap("loss", data_loss)
    data_loss = tap(spec.loss, data_loss)
    squares = torch.stack([params[weights].square().sum() for weights in spec.weights])
    penalty = tap("penalty", spec.penalty_factor(len(output)) * squares.sum())
    return tap("loss", data_loss + penalty)


def _output(
    spec: MLP,
    params: Params,
    x: Float[Array, "n features"],
    tap: Tap,
    norm: Callable[[str, Array], Array],
    masks: Mapping[str, Tensor],
) -> Float[Array, "n outputs"]:
    h = x
    for layer, activation in enumerate(spec.activations, start=1):
        weights = params[f"W{layer}"]
        z = torch.addmm(params[f"b{layer}"], h, weights) if spec.biased(layer) else h @ weights
        z = tap(f"z{layer}", z)
        if spec.norm != "none" and layer < spec.depth:
            z = norm(f"norm{layer}", z)
        a = tap(f"a{layer}", ACTIVATIONS[activation](z))
        if f"mask{layer}" in masks:
            a = tap(f"dropped{layer}", a * masks[f"mask{layer}"])
        h = tap(f"sum{layer}", h + a) if spec.adds(layer) else a
    return h
