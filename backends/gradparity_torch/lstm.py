"""The LSTM as a PyTorch user writes it: a loop over time, which autograd records.

``torch.nn.LSTM`` does the same in one call, and tells neither gates nor cell.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int

from gradparity.models import LSTM
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch import recurrent
from gradparity_torch.recurrent import NO_EXTRAS


def predict(
    spec: LSTM, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    h, cell = recurrent.start("h0", params, x, extras), recurrent.start("cell0", params, x, extras)
    bias = params["b"] if spec.biases == "one" else params["b_x"] + params["b_h"]
    states = []
    for t, x_t in enumerate(recurrent.inputs(spec, params, x, tap).unbind(dim=1)):
        z = tap(("z", t), x_t @ params["W_x"] + h @ params["W_h"] + bias)
        gates = dict(zip(spec.gates, z.chunk(4, dim=1), strict=True))
        i = tap(("i", t), gates["i"].sigmoid())
        f = tap(("f", t), gates["f"].sigmoid())
        g = tap(("g", t), gates["g"].tanh())
        o = tap(("o", t), gates["o"].sigmoid())
        cell = tap(("cell", t), f * cell + i * g)
        h = tap(("h", t), o * torch.tanh(cell))
        states.append(h)
    return recurrent.logits(params, states, tap)


def loss(spec: LSTM, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
