"""Batch and layer norm as a PyTorch user writes them who wants to see the steps; those of ``F`` show none."""

import torch
from jaxtyping import Float

from gradparity.operations.batch_norm import count_of
from gradparity.operations.layer_norm import NormConvention
from gradparity.protocol import Array, Params, Tap


def batch_norm(
    params: Params, place: str, x: Float[Array, "n channels *at"], tap: Tap, size: NormConvention
) -> Float[Array, "n channels *at"]:
    """Normalise each channel over the batch. Raises UsageError for a channel of a single number."""
    count = count_of(tuple(x.shape))
    axes = [axis for axis in range(x.ndim) if axis != 1]
    mean = tap(f"{place}.mean", x.mean(axes))
    centred = tap(f"{place}.centred", x - like(mean, x))
    variance = tap(f"{place}.variance", centred.square().sum(axes) / (count - size.unbiased))
    scale = tap(f"{place}.scale", inverse_size(variance, size))
    normed = centred * like(scale, x)
    return tap(
        f"{place}.out", torch.addcmul(like(params[f"{place}.bias"], x), normed, like(params[f"{place}.gain"], x))
    )


def layer_norm(
    params: Params, place: str, x: Float[Array, "n width"], tap: Tap, size: NormConvention
) -> Float[Array, "n width"]:
    """Normalise each row."""
    centred = tap(f"{place}.centred", x - x.mean(-1, keepdim=True))
    variance = centred.square().sum(-1, keepdim=True) / (x.shape[-1] - size.unbiased)
    scale = tap(f"{place}.scale", inverse_size(variance, size))
    return tap(f"{place}.out", torch.addcmul(params[f"{place}.bias"], centred * scale, params[f"{place}.gain"]))


def running_norm(
    params: Params, place: str, x: Float[Array, "n channels *at"], size: NormConvention
) -> Float[Array, "n channels *at"]:
    """Normalise each channel with its running mean and variance, which are beside the parameters."""
    mean, gain, bias = (like(params[f"{place}.{name}"], x) for name in ("mean", "gain", "bias"))
    return (x - mean) * like(inverse_size(params[f"{place}.variance"], size), x) * gain + bias


def inverse_size(variance: Float[Array, "*shape"], size: NormConvention) -> Float[Array, "*shape"]:
    """1/√(variance + ε), or with ε outside of the root."""
    if size.epsilon_outside:
        # Where nothing varies the root has no slope to ask for: 0 times an infinite one is no number.
        root = variance.where(variance > 0, 1.0).sqrt().where(variance > 0, 0.0)
        return (root + size.epsilon).reciprocal()
    return torch.rsqrt(variance + size.epsilon)


def like(each: Float[Array, " channels"], x: Float[Array, "n channels *at"]) -> Float[Array, "1 channels *ones"]:
    """Give each channel's number the axes of x."""
    return each.view(1, -1, *[1] * (x.ndim - 2))
