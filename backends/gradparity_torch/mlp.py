"""The multilayer perceptron as a PyTorch user writes it; gradparity.models.MLP states the conventions."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import MLP
from gradparity.operations import entrywise
from gradparity.protocol import Array, Batch, Params, Tap

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


def predict(spec: MLP, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n outputs"]:
    """Return the last activation."""
    a = x
    for layer, activation in enumerate(spec.activations, start=1):
        z = tap(f"z{layer}", torch.addmm(params[f"b{layer}"], a, params[f"W{layer}"]))
        a = tap(f"a{layer}", ACTIVATIONS[activation](z))
    return a


def loss(spec: MLP, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the loss, reduced over the examples as the spec says."""
    output = predict(spec, params, batch.x, tap)
    # Not reduction="mean": for the squared error PyTorch's mean is over the outputs too.
    if spec.loss == "cross_entropy":
        total = F.cross_entropy(output, batch.y, reduction="sum")
    else:
        total = F.mse_loss(output, batch.y, reduction="sum")
    return tap("loss", total / spec.loss_divisor(len(output)))
