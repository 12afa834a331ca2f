"""The gated recurrent unit by hand: the loss of every time goes back through its state, its gates, and through time.

Source: K. Cho et al. (2014), arXiv:1406.1078, equations 5 to 8.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Inexact, Int

from gradparity.models import GRU
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import gru, recurrent
from gradparity_manual.operations.recurrent import NO_EXTRAS, STATES


def predict(
    spec: GRU, p: Params, x: Int[Array, "n length"], c: Any, extras: Mapping[str, Array] = NO_EXTRAS
) -> Inexact[Array, "n length vocabulary"]:
    """Write inputs, gates and h of every time, states and logits; return the logits."""
    inputs = recurrent.inputs(spec, p, x, c)
    states = gru.forward(p, inputs, recurrent.start("h0", p, x, extras), View(c, STATES), spec.convention)
    return recurrent.logits(p, states, c)


def forward(spec: GRU, p: Params, batch: Batch, c: Any) -> None:
    """Write every line and the loss to c."""
    logits = predict(spec, p, batch.x, c, batch.extras)
    recurrent.forward(spec, logits, batch, c)


def backward(spec: GRU, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    recurrent.backward_to_states(spec, p, batch, c, d)
    inputs, start = recurrent.read(spec, p, batch, c), recurrent.start("h0", p, batch.x, batch.extras)
    gru.backward(p, inputs, start, c, View(d, STATES), spec.convention)
    if spec.inputs == "embedding":
        recurrent.backward_from_inputs(p, batch, gru.share_of_input(p, spec.length, d), d)
