"""The float32 lane's limit, measured on the problem itself: what rounding of the inputs alone would do.

The float64 result is the truth. Each number that enters is changed by one unit in the last place of float32, up or
down at random; how far that moves a named value or gradient is its sensitivity.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from gradparity.parity.norms import distance, norm
from gradparity.protocol import Batch, Model, Params, Trace

FACTOR = 16
"""Rounding inside a line adds to rounding of its inputs; sums of many terms add most."""
DRAWS = 4
ULP = float(np.finfo(np.float32).eps)

Budgets: TypeAlias = Mapping[Literal["value", "gradient"], Mapping[str, float]]
"""Kind -> name -> the largest ‖a − b‖₂ that rounding explains."""


def error_budgets(witness: Model, truth: Trace, params: Params, batch: Batch, rng: np.random.Generator) -> Budgets:
    """Measure the budget of every named value and gradient.

    ``truth`` is the float64 trace of ``witness`` at ``params`` and ``batch``.
    """
    values = dict.fromkeys(truth.values, 0.0)
    gradients = dict.fromkeys(truth.gradients, 0.0)
    for _ in range(DRAWS):
        # One at a time: of a large model, every trace takes as much memory as the model.
        nearby = witness.trace(_one_ulp_off(params, rng), batch.map(lambda a: _perturb(a, rng)))
        for name, value in truth.values.items():
            values[name] = max(values[name], distance(nearby.values[name], value))
        for name, gradient in truth.gradients.items():
            gradients[name] = max(gradients[name], distance(nearby.gradients[name], gradient))
    return {
        "value": {name: FACTOR * (moved + ULP * norm(truth.values[name])) for name, moved in values.items()},
        "gradient": {name: FACTOR * (moved + ULP * norm(truth.gradients[name])) for name, moved in gradients.items()},
    }


def _one_ulp_off(params: Params, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: _perturb(p, rng) for name, p in params.items()}


def _perturb(a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(a * (1 + ULP * rng.choice([-1.0, 1.0], size=a.shape))) if a.dtype.kind == "f" else a
