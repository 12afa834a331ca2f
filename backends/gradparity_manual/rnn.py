"""The plain recurrent network by hand: the loss of every time goes back through its state, and that through time.

Source: I. Goodfellow, Y. Bengio, A. Courville, Deep Learning (2016), section 10.2.2.
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Inexact, Int

from gradparity.models import RNN
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import recurrent, rnn
from gradparity_manual.operations.recurrent import NO_EXTRAS, STATES


def predict(
    spec: RNN, p: Params, x: Int[Array, "n length"], c: Any, extras: Mapping[str, Array] = NO_EXTRAS
) -> Inexact[Array, "n length vocabulary"]:
    """Write inputs, z and h of every time, states and logits; return the logits."""
    inputs = recurrent.inputs(spec, p, x, c)
    states = rnn.forward(p, inputs, recurrent.start("h0", p, x, extras), View(c, STATES), spec.biases)
    return recurrent.logits(p, states, c)


def forward(spec: RNN, p: Params, batch: Batch, c: Any) -> None:
    """Write every line and the loss to c."""
    logits = predict(spec, p, batch.x, c, batch.extras)
    recurrent.forward(spec, logits, batch, c)


def backward(spec: RNN, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradient of every name to d, which holds d["loss"] = 1 at the start."""
    recurrent.backward_to_states(spec, p, batch, c, d)
    inputs, start = recurrent.read(spec, p, batch, c), recurrent.start("h0", p, batch.x, batch.extras)
    rnn.backward(p, inputs, start, c, View(d, STATES), spec.biases)
    if spec.inputs == "embedding":
        recurrent.backward_from_inputs(p, batch, rnn.share_of_input(p, spec.length, d), d)
