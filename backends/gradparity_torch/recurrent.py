"""What the recurrent character models share around their cell, as a PyTorch user writes it."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from gradparity.operations import positions
from gradparity.operations.recurrent import Recurrent
from gradparity.protocol import Array, Params, Tap

NO_EXTRAS: Mapping[str, Array] = {}


def inputs(spec: Recurrent, params: Params, x: Int[Array, "n length"], tap: Tap) -> Float[Array, "n length inputs"]:
    """Return what the cell reads: rows of the table, or one-hot rows."""
    if spec.inputs == "embedding":
        return tap("inputs", F.embedding(x, params["table"]))
    return F.one_hot(x, spec.vocabulary).to(params["W_x"].dtype)


def start(
    name: str, params: Params, x: Int[Array, "n length"], extras: Mapping[str, Array]
) -> Float[Array, "n hidden"]:
    """Return the state before the first step: the extra of this name, or zeros."""
    weights = params["W_h"]
    return extras[name] if name in extras else weights.new_zeros(len(x), len(weights))


def logits(params: Params, states: Sequence[Float[Array, "n hidden"]], tap: Tap) -> Float[Array, "n length vocabulary"]:
    """Map the state of every time to its logits."""
    stacked = tap("states", torch.stack(tuple(states), dim=1))
    return tap("logits", F.linear(stacked, params["W_y"].T, params["b_y"]))


def loss(
    reduction: str, logits: Float[Array, "n length vocabulary"], y: Int[Array, "n length"], tap: Tap
) -> Float[Array, ""]:
    """Return the cross-entropy of every next token, reduced over positions and sequences."""
    total = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum")
    return tap("loss", positions.factor(reduction, *y.shape) * total)
