"""hello: f(x) = x², and its derivative 2x.

Source: GradBench, evals/hello.
"""

from typing import Any

import numpy as np

from gradparity.protocol import Batch, HandDerivation, Params
from gradparity_gradbench.eval import NOTHING, Eval, Function, gradients, values

param_shapes = {"x": ()}
input_shape = ()
target_shape = ()


def forward(p: Params, batch: Batch, c: Any) -> None:  # noqa: ARG001
    """Square x."""
    c["loss"] = p["x"] ** 2


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    """Of x² the derivative is 2x."""
    d["x"] = d["loss"] * 2 * p["x"]


def read(given: float) -> tuple[dict[str, np.ndarray], Batch]:
    """Read x, a number of its own."""
    return {"x": np.asarray(given, dtype=np.float64)}, Batch(NOTHING, NOTHING)


HAND = HandDerivation(forward, backward)
EVAL = Eval(
    read,
    {"square": Function(values(HAND), float), "double": Function(gradients(HAND), lambda g: float(g["x"]))},
)
