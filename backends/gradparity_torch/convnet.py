"""A convolutional network as a PyTorch user writes it; gradparity.models.ConvNet states the conventions."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import ConvNet
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch.mlp import activation
from gradparity_torch.norms import batch_norm, running_norm


def predict(spec: ConvNet, params: Params, x: Float[Array, "n features"], tap: Tap) -> Float[Array, "n classes"]:
    """Return the logits, with the running statistics."""
    return _logits(spec, params, x, tap, lambda place, z: running_norm(params, place, z, spec.size))


def loss(spec: ConvNet, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of the batch, normalised with its own statistics, plus the penalty where λ > 0."""
    logits = _logits(spec, params, batch.x, tap, lambda place, z: batch_norm(params, place, z, tap, spec.size))
    data_loss = F.cross_entropy(logits, batch.y, reduction=spec.reduction)
    if not spec.weight_decay:
        return tap("loss", data_loss)
    squares = torch.cat([params[name].flatten() for name in spec.penalised]).square().sum()
    penalty = tap("penalty", spec.penalty_factor(len(logits)) * squares)
    return tap("loss", tap("cross_entropy", data_loss) + penalty)


def _logits(
    spec: ConvNet, params: Params, x: Float[Array, "n features"], tap: Tap, norm: Callable[[str, Tensor], Tensor]
) -> Float[Array, "n classes"]:
    phi = activation(spec.activation, spec.leak)
    a = x.unflatten(1, spec.image)
    for k in range(1, len(spec.channels) + 1):
        bias = None if spec.batch_norm else params[f"conv{k}.b"]
        z = tap(f"conv{k}.out", F.conv2d(a, params[f"conv{k}.W"], bias, spec.stride, spec.padding))
        if spec.batch_norm:
            z = norm(f"norm{k}", z)
        a = tap(f"a{k}", phi(z))
        # What F.max_pool2d looks at, with a name: a view of the pixels under each window.
        (high, wide) = spec.pool
        windows = tap(f"pool{k}.windows", a.unfold(2, high, high).unfold(3, wide, wide).flatten(4))
        a = tap(f"pool{k}.out", windows.max(dim=-1).values if spec.pooling == "max" else windows.mean(dim=-1))
    a = a.flatten(1)
    for k in range(1, len(spec.hidden) + 1):
        z = tap(f"dense{k}.out", F.linear(a, params[f"dense{k}.W"].T, params[f"dense{k}.b"]))
        a = tap(f"h{k}", phi(z))
    last = f"dense{len(spec.hidden) + 1}"
    return tap(f"{last}.out", F.linear(a, params[f"{last}.W"].T, params[f"{last}.b"]))
