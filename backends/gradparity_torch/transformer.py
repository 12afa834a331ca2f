"""The transformer as a PyTorch user writes it; gradparity.models.Transformer states the conventions."""

from collections.abc import Callable
from functools import partial
from math import log, sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import Transformer
from gradparity.operations import positions
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch.norms import inverse_size

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


def predict(
    spec: Transformer, params: Params, x: Int[Array, "n length"], tap: Tap
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    tokens = tap("tokens.out", F.embedding(x, params["tokens.table"]))
    if spec.encoding == "learned":
        places = tap("positions.out", params["positions.table"][: x.shape[1]])
    else:
        places = sinusoids(x.shape[1], like=tokens)
    stream = tap("embedded", tokens * (sqrt(spec.width) if spec.scaled_tokens else 1.0) + places)
    for at in spec.places:
        stream = block(spec, params, at, stream, tap)
    if spec.norm_first:
        stream = norm(spec, params, "norm", stream, tap)
    weight = params["tokens.table"] if spec.tied else params["W"].T
    return tap("logits", F.linear(stream, weight, params["b"] if spec.head_bias else None))


def sinusoids(length: int, like: Tensor) -> Float[Tensor, "length width"]:
    """Return the encoding of the positions, filled in column by column as PyTorch's tutorial has it."""
    width = like.shape[-1]
    position = torch.arange(length, dtype=torch.float64, device=like.device).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float64, device=like.device) * (-log(10_000) / width))
    encoding = position.new_empty(length, width)
    encoding[:, 0::2] = torch.sin(position * frequency)
    encoding[:, 1::2] = torch.cos(position * frequency[: width // 2])
    return encoding.to(like.dtype)


def block(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return the stream after a block, as ``nn.TransformerEncoderLayer`` has its ``norm_first``."""
    if spec.norm_first:
        x = tap(f"{at}.middle", x + attention(spec, params, at, norm(spec, params, f"{at}.norm1", x, tap), tap))
        return tap(f"{at}.out", x + feed_forward(spec, params, at, norm(spec, params, f"{at}.norm2", x, tap), tap))
    x = tap(f"{at}.middle", x + attention(spec, params, at, x, tap))
    x = norm(spec, params, f"{at}.norm1", x, tap)
    x = tap(f"{at}.out", x + feed_forward(spec, params, at, x, tap))
    return norm(spec, params, f"{at}.norm2", x, tap)


def feed_forward(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return what the inner layer makes of each position."""
    up = tap(f"{at}.up", F.linear(x, params[f"{at}.W_up"].T, params.get(f"{at}.b_up")))
    active = tap(f"{at}.active", ACTIVATIONS[spec.activation](up))
    return tap(f"{at}.down", F.linear(active, params[f"{at}.W_down"].T, params.get(f"{at}.b_down")))


def attention(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return what causal attention brings to each position.

    ``F.scaled_dot_product_attention`` does the middle in one call, and tells neither scores nor weights.
    """

    def heads(name: str) -> Float[Array, "n heads length part"]:
        mapped = F.linear(x, params[f"{at}.W_{name}"].T, params.get(f"{at}.b_{name}"))
        return tap(f"{at}.{name}", mapped.reshape(*x.shape[:2], spec.heads, -1).transpose(1, 2))

    q, k, v = heads("q"), heads("k"), heads("v")
    scores = tap(f"{at}.scores", q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if spec.scaled else 1.0))
    unseen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(diagonal=1)
    weights = tap(f"{at}.weights", scores.masked_fill(unseen, -torch.inf).softmax(dim=-1))
    brought = tap(f"{at}.heads", weights @ v).transpose(1, 2).flatten(-2)
    return tap(f"{at}.attended", F.linear(brought, params[f"{at}.W_o"].T, params.get(f"{at}.b_o")))


def norm(spec: Transformer, params: Params, at: str, x: Float[Array, "n length width"], tap: Tap) -> Array:
    """Return layer norm or RMS norm of every position; ``F.layer_norm`` and ``F.rms_norm`` tell no line inside."""
    if spec.norm == "rms":
        scale = tap(f"{at}.scale", inverse_size(x.square().mean(dim=-1, keepdim=True), spec.convention))
        return tap(f"{at}.out", x * scale * params[f"{at}.gain"])
    centred = tap(f"{at}.centred", x - x.mean(dim=-1, keepdim=True))
    variance = centred.square().sum(dim=-1, keepdim=True) / (x.shape[-1] - spec.unbiased)
    scale = tap(f"{at}.scale", inverse_size(variance, spec.convention))
    scaled = centred * scale * params[f"{at}.gain"]
    return tap(f"{at}.out", scaled + params[f"{at}.bias"] if spec.convention.biased else scaled)


def loss(spec: Transformer, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    logits = predict(spec, params, batch.x, tap)
    total = F.cross_entropy(logits.flatten(0, 1), batch.y.flatten(), reduction="sum")
    return tap("loss", positions.factor(spec.reduction, *batch.y.shape) * total)
