"""The long short-term memory by hand: the loss of every time goes back through its state, its cell, and through time.

Source: K. Greff et al., LSTM: A Search Space Odyssey (2015), arXiv:1503.04069, section II.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Inexact, Int

from gradparity.models import LSTM
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import lstm, recurrent
from gradparity_manual.operations.recurrent import NO_EXTRAS, STATES


def predict(
    spec: LSTM, p: Params, x: Int[Array, "n length"], c: Any, extras: Mapping[str, Array] = NO_EXTRAS
) -> Inexact[Array, "n length vocabulary"]:
    """Write inputs, gates, cell and h of every time, states and logits; return the logits."""
    inputs = recurrent.inputs(spec, p, x, c)
    states = lstm.forward(p, inputs, start(p, x, extras), View(c, STATES), spec.gates, spec.biases)
    return recurrent.logits(p, states, c)


def forward(spec: LSTM, p: Params, batch: Batch, c: Any) -> None:
    """Write every line and the loss to c."""
    logits = predict(spec, p, batch.x, c, batch.extras)
    recurrent.forward(spec, logits, batch, c)


def backward(spec: LSTM, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    recurrent.backward_to_states(spec, p, batch, c, d)
    inputs = recurrent.read(spec, p, batch, c)
    lstm.backward(p, inputs, start(p, batch.x, batch.extras), c, View(d, STATES), spec.gates, spec.biases)
    if spec.inputs == "embedding":
        recurrent.backward_from_inputs(p, batch, lstm.share_of_input(p, spec.length, d), d)


def start(
    p: Params, x: Int[Array, "n length"], extras: Mapping[str, Array]
) -> tuple[Inexact[Array, "n hidden"], Inexact[Array, "n hidden"]]:
    """Return state and cell before the first step."""
    return recurrent.start("h0", p, x, extras), recurrent.start("cell0", p, x, extras)
