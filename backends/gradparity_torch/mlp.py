"""The multilayer perceptron as a PyTorch user writes it; gradparity.models.MLP states the conventions."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import MLP
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch.norms import batch_norm, layer_norm, running_norm

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "identity": lambda z: z,
}


def activation(name: str, leak: float) -> Callable[[Tensor], Tensor]:
    """Return the function of that name, a leaky ReLU with this slope."""
    return partial(F.leaky_relu, negative_slope=leak) if name == "leaky_relu" else ACTIVATIONS[name]


def too_near(margins: Float[Array, "n classes"], y: Int[Array, " n"]) -> Float[Array, "n classes"]:
    """Return the margins above 0 of the classes that are not the label; F.multi_margin_loss shows none."""
    return F.relu(margins).scatter(1, y.unsqueeze(1), 0.0)


# Not reduction="mean": for real targets PyTorch's mean is over the outputs too.
TOTAL_LOSS: dict[str, Callable[[Array, Array], Array]] = {
    "cross_entropy": partial(F.cross_entropy, reduction="sum"),
    "squared_error": partial(F.mse_loss, reduction="sum"),
    "sigmoid_cross_entropy": partial(F.binary_cross_entropy_with_logits, reduction="sum"),
    "hinge": lambda m, y: too_near(m, y).sum(),
    "squared_hinge": lambda m, y: too_near(m, y).square().sum(),
    "binary_hinge": lambda m, _: F.relu(m).sum(),
    "squared_binary_hinge": lambda m, _: F.relu(m).square().sum(),
}


def linear(params: Params, layer: int, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    """Return xW."""
    return torch.mm(x, params[f"W{layer}"])


def affine(params: Params, layer: int, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    """Return xW + b."""
    return torch.addmm(params[f"b{layer}"], x, params[f"W{layer}"])


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
    if spec.has_margins:
        if spec.real_targets:
            reached = output.where(batch.y > 0, -output)
        else:
            reached = output.gather(1, batch.y.unsqueeze(1)) - output
        output = tap("margins", spec.margin - reached)
    data_loss = TOTAL_LOSS[spec.loss](output, batch.y) / spec.loss_divisor(len(output))
    if spec.weight_decay == 0:
        return tap("loss", data_loss)
    data_loss = tap(spec.loss, data_loss)
    squares = torch.stack([params[name].square().sum() for name in spec.penalised])
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
    for layer, phi in enumerate(spec.activations, start=1):
        dense = affine if spec.biased(layer) else linear
        z = tap(f"z{layer}", dense(params, layer, h))
        if spec.norm != "none" and layer < spec.depth:
            z = norm(f"norm{layer}", z)
        a = tap(f"a{layer}", activation(phi, spec.leak)(z))
        if f"mask{layer}" in masks:
            a = tap(f"dropped{layer}", a * masks[f"mask{layer}"])
        h = tap(f"sum{layer}", h + a) if spec.adds(layer) else a
    return h
