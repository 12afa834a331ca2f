"""What the recurrent character models share around their cell: what it reads, where it starts, and the head."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Inexact, Int

from gradparity.operations.positions import factor as reduction_factor
from gradparity.operations.recurrent import Recurrent
from gradparity.protocol import Array, Batch, Params
from gradparity.recording import View
from gradparity_manual.operations import affine, embedding, namespace, positions

INPUTS = {"out": "inputs"}
STATES = {"out": "states"}
HEAD = {"W": "W_y", "b": "b_y", "out": "logits"}
NO_EXTRAS: Mapping[str, Array] = {}


def inputs(spec: Recurrent, p: Params, x: Int[Array, "n length"], c: Any) -> Inexact[Array, "n length inputs"]:
    """Return what the cell reads: rows of the table, or one-hot rows."""
    if spec.inputs == "embedding":
        return embedding.forward(p, x, View(c, INPUTS))  # (n, length, width)
    xp = namespace(p["W_x"])
    return xp.astype(x[:, :, None] == xp.arange(spec.vocabulary), p["W_x"].dtype)  # (n, length, vocabulary)


def read(spec: Recurrent, p: Params, batch: Batch, c: Any) -> Float[Array, "n length inputs"]:
    """Return in the backward pass what the cell has read."""
    return c["inputs"] if spec.inputs == "embedding" else inputs(spec, p, batch.x, c)


def start(name: str, p: Params, x: Int[Array, "n length"], extras: Mapping[str, Array]) -> Inexact[Array, "n hidden"]:
    """Return the state before the first step: the extra of this name, or zeros."""
    weights = p["W_h"]  # (hidden, …)
    return (
        extras[name]
        if name in extras
        else namespace(weights).zeros((x.shape[0], weights.shape[0]), dtype=weights.dtype)
    )


def logits(p: Params, states: Inexact[Array, "n length hidden"], c: Any) -> Inexact[Array, "n length vocabulary"]:
    """Map every state to its logits."""
    return affine.forward(View(p, HEAD), states, View(c, HEAD))


def forward(spec: Recurrent, z: Inexact[Array, "n length vocabulary"], batch: Batch, c: Any) -> None:
    """Write the loss of the logits."""
    c["loss"] = _factor(spec, batch) * positions.forward(z, batch.y)


def backward_to_states(spec: Recurrent, p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Write the gradients of logits, head and states."""
    d["logits"] = d["loss"] * _factor(spec, batch) * positions.backward(c["logits"], batch.y)
    affine.backward(c["states"], View(d, HEAD))
    d["states"] = affine.share_of_input(View(p, HEAD), View(d, HEAD))


def backward_from_inputs(p: Params, batch: Batch, of_inputs: Float[Array, "n length inputs"], d: Any) -> None:
    """Write the gradients of inputs and table."""
    d["inputs"] = of_inputs
    embedding.backward(p, batch.x, View(d, INPUTS))


def _factor(spec: Recurrent, batch: Batch) -> float:
    n, length = batch.x.shape
    return reduction_factor(spec.reduction, n, length)
