"""No speed without parity: who does not end at the same weights has trained something else."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradparity import registry
from gradparity.parity.budget import FACTOR, ULP
from gradparity.parity.norms import relative_error
from gradparity.protocol import Dtype
from gradparity_alternatives.task import Problem, Task, Weights, problem

EPOCHS = 2
"""After so many the weights are compared; the second epoch shows that the first one's end was carried on."""


@dataclass(frozen=True)
class Expected:
    """The weights after EPOCHS epochs in float64, and how far float32 rounding alone moves them."""

    truth: Weights
    limits: Mapping[str, float]
    """Name -> the largest relative error ‖a − b‖₂ / ‖b‖₂ that rounding explains."""
    given: Problem

    def loss(self, weights: Weights) -> float:
        """Return the mean cross-entropy over all training examples, computed in float64 for every contestant alike."""
        batch = self.given.examples.batch(slice(None), "float64")
        return float(registry.backend("numpy").model(self.given.spec, "float64").loss(weights, batch))

    def refusal(self, weights: Weights) -> str:
        """Say that the weights are others, with the final loss; nothing where they are not."""
        errors = {name: relative_error(weights[name], truth) for name, truth in self.truth.items()}
        wrong = next((name for name in errors if not errors[name] <= self.limits[name]), None)
        if wrong is None:
            return ""
        return (
            f"its loss after {EPOCHS} epochs is {self.loss(weights):.6f}, not {self.loss(self.truth):.6f}: "
            f"{wrong} is off by {errors[wrong]:.1e}, at most {self.limits[wrong]:.1e} is rounding"
        )


def expected(task: Task) -> Expected:
    """Train the hand derivation on NumPy in float64 and in float32: their distance is what rounding does.

    The limit is a multiple of that distance, as in ``gradparity.parity.budget``. Raises UsageError as ``problem`` does.
    """
    truth, rounded = _train(problem(task), "float64"), _train(problem(task), "float32")
    limits = {name: FACTOR * (relative_error(rounded[name], truth[name]) + ULP) for name in truth}
    return Expected(truth, limits, problem(task))


def _train(given: Problem, dtype: Dtype) -> Weights:
    backend = registry.backend("numpy")
    step = backend.model(given.spec, dtype).train_step(backend.optimizer("sgd", lr=given.lr))
    state, loaded = step.start(given.weights), step.load(given.examples)
    for _ in range(EPOCHS):
        state, _losses = step.epoch(state, loaded, given.rng.permutation(len(given.examples)), given.batch_size)
    return {name: np.asarray(value, np.float64) for name, value in step.params(state).items()}
