"""The plain recurrent network as a PyTorch user writes it: a loop over time, which autograd records."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int

from gradparity.models import RNN
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch import recurrent
from gradparity_torch.recurrent import NO_EXTRAS


def predict(
    spec: RNN, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    h = recurrent.start("h0", params, x, extras)
    bias = params["b"] if spec.biases == "one" else params["b_x"] + params["b_h"]
    states = []
    for t, x_t in enumerate(recurrent.inputs(spec, params, x, tap).unbind(dim=1)):
        z = tap(("z", t), x_t @ params["W_x"] + h @ params["W_h"] + bias)
        h = tap(("h", t), torch.tanh(z))
        states.append(h)
    return recurrent.logits(params, states, tap)


def loss(spec: RNN, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
