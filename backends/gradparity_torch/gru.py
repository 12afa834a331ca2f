"""The GRU as a PyTorch user writes it: a loop over time, which autograd records.

``torch.nn.GRU`` does the same in one call, where ``reset_after``, and tells no gates.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.models import GRU
from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_torch import recurrent
from gradparity_torch.recurrent import NO_EXTRAS


def predict(
    spec: GRU, params: Params, x: Int[Array, "n length"], tap: Tap, extras: Mapping[str, Array] = NO_EXTRAS
) -> Float[Array, "n length vocabulary"]:
    """Return the logits of each next token."""
    gates_of_state = spec.convention.gates_of_state
    h = recurrent.start("h0", params, x, extras)
    states = []
    for t, x_t in enumerate(recurrent.inputs(spec, params, x, tap).unbind(dim=1)):
        from_x = tap(("from_x", t), F.linear(x_t, params["W_x"].T, params["b_x"]))
        from_h = tap(("from_h", t), F.linear(h, params["W_h"].T, params.get("b_h")))
        of_x = dict(zip(spec.gates, from_x.chunk(3, dim=1), strict=True))
        of_h = dict(zip(gates_of_state, from_h.chunk(len(gates_of_state), dim=1), strict=True))
        r = tap(("r", t), torch.sigmoid(of_x["r"] + of_h["r"]))
        u = tap(("u", t), torch.sigmoid(of_x["u"] + of_h["u"]))
        new = r * of_h["n"] if spec.reset_after else tap(("gated", t), r * h) @ params["W_n"]
        n = tap(("n", t), torch.tanh(tap(("candidate", t), of_x["n"] + new)))
        h = tap(("h", t), torch.lerp(n, h, u) if spec.update_keeps else torch.lerp(h, n, u))
        states.append(h)
    return recurrent.logits(params, states, tap)


def loss(spec: GRU, params: Params, batch: Batch, tap: Tap) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced as the spec says."""
    return recurrent.loss(spec.reduction, predict(spec, params, batch.x, tap, batch.extras), batch.y, tap)
