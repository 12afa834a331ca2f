"""lse: the logarithm of a sum of exponentials, log Σᵢ exp(xᵢ), and its gradient, the softmax.

Source: GradBench, evals/lse.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradparity.protocol import Batch, HandDerivation, Params
from gradparity_gradbench.eval import NOTHING, Eval, Function, flat, gradients, values
from gradparity_manual.operations import namespace

param_shapes = {"x": 7}
input_shape = ()
target_shape = ()


def forward(p: Params, batch: Batch, c: Any) -> None:  # noqa: ARG001
    """Shift by the largest, so that no exponential overflows: a + log Σ exp(x − a)."""
    xp = namespace(p["x"])
    top = xp.max(p["x"])
    c["e"] = xp.exp(p["x"] - top)  # (n,)
    c["sum"] = xp.sum(c["e"])
    c["loss"] = xp.log(c["sum"]) + top


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    """Back through the logarithm and the exponentials; what a receives cancels, for any a gives the same sum.

    d["e"] is d["sum"] in every place.
    """
    d["sum"] = d["loss"] / c["sum"]
    d["x"] = d["sum"] * c["e"]  # (n,)


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read x."""
    return {"x": np.asarray(given["x"], dtype=np.float64)}, Batch(NOTHING, NOTHING)


HAND = HandDerivation(forward, backward)
EVAL = Eval(read, {"primal": Function(values(HAND), float), "gradient": Function(gradients(HAND), flat("x"))})
