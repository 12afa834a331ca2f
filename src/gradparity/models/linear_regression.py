"""Linear regression: one affine map, squared error, optionally an L2 penalty on the weights (ridge regression).

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), sections 3.1.1 and 3.1.4.
"""

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from gradparity import initial
from gradparity.inputs import (
    distinct_sizes,
    normal_inputs,
    require_choices,
    require_finite,
    require_positive,
)
from gradparity.operations import affine, reductions, squares
from gradparity.operations.rules import both, line, total
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class LinearRegression:
    """L = (1/n) Σᵢ ‖xᵢW + b − yᵢ‖² + (λ/2) Σ W².

    Conventions: what the sum of squared errors is divided by is a setting ("mean" is over the examples, after the sum
    over outputs; "mean-of-entries" is over both), and so is what the sum of squared weights is divided by; the penalty
    is on W, or on W and b.
    """

    features: int = 7
    outputs: int = 3
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    init_std: float = 0.01
    """Standard deviation of the initial weights; the initial bias is zero."""
    reduction: reductions.Name = "mean"
    penalty: squares.Penalty = "half-sum"
    decay_biases: bool = False
    """Whether the penalty is on b too, not on W alone."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, negative or infinite coefficients, and unknown choices."""
        require_positive(self.name, features=self.features, outputs=self.outputs)
        require_finite(self.name, weight_decay=self.weight_decay, init_std=self.init_std)
        require_choices(self)

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "LinearRegression":
        """Fit the sizes to a data set: labels become one-hot targets, a column for each of the ``classes``.

        The loss is a mean over the outputs too, as in PyTorch, unless set: summed over ten, the usual rate diverges.
        """
        del classes
        return cls(features=features, outputs=outputs, **{"reduction": "mean-of-entries", **settings})

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "linear_regression"

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (features, outputs), b (outputs,)."""
        return affine.shapes(self.features, self.outputs)

    @property
    def real_targets(self) -> bool:
        """True: y is real numbers (n, outputs)."""
        return True

    def loss_divisor(self, n: int) -> int:
        """What the sum of squared errors of n examples is divided by."""
        return reductions.divisor(self.reduction, n, self.outputs)

    @property
    def penalised(self) -> list[str]:
        """The names of what the penalty is on."""
        return ["W", "b"] if self.decay_biases else ["W"]

    def penalty_factor(self, n: int) -> float:
        """The factor in front of Σ W², for n examples."""
        return self.weight_decay / reductions.divisor(self.penalty, n)

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """W ~ N(0, init_std²), b = 0."""
        return initial.parameters(rng, self.param_shapes, std=self.init_std)

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Normal inputs x (n, features) and normal targets y (n, outputs)."""
        return Batch(normal_inputs(rng, n, self.features), normal_inputs(rng, n, self.outputs))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["LinearRegression", int]:
        """Draw sizes, weight decay half of the time, and what is divided by what; and a number of examples."""
        features, outputs, n = distinct_sizes(rng, 3)
        settings: dict[str, Any] = {
            "weight_decay": float(rng.choice([0.0, rng.uniform(0.001, 1)])),
            "reduction": str(rng.choice(get_args(reductions.Name))),
            "penalty": str(rng.choice(get_args(squares.Penalty))),
            "decay_biases": bool(rng.random() < 0.5),
        }
        return cls(features, outputs, **settings), n

    @classmethod
    def variants(cls) -> dict[str, "LinearRegression"]:
        """Return the settings that between them have every line, by what they are called."""
        return {"": cls(), "ridge": cls(weight_decay=0.3, reduction="half-mean")}

    def flops(self, n: int) -> int:
        """Forward xW, backward xᵀdA, loss and penalty, then the update."""
        weights = self.features * self.outputs
        multiply = affine.flops(n, self.features, self.outputs, of_input=False)
        penalty = squares.penalty_flops(weights) if self.weight_decay else 0
        return multiply + squares.error_flops(n, self.outputs) + penalty + 2 * (weights + self.outputs)

    @property
    def derivation(self) -> tuple[Line, ...]:
        """W, b, prediction, then the loss; with weight decay, its two terms before it."""
        of_weights, of_bias, penalty = affine.of_weights("X", "A"), affine.of_bias("A"), ""
        if self.weight_decay:
            of_weights = both(of_weights, squares.of_penalty(self.penalty, "W"))
            penalty = squares.penalty(self.penalty, *self.penalised)
        if self.weight_decay and self.decay_biases:
            of_bias = both(of_bias, squares.of_penalty(self.penalty, "b"))
        return (
            line("W", "W", of_weights),
            line("b", "b", of_bias),
            line("prediction", "A", squares.of_error(self.reduction, "A"), affine.value("X", "W", "b")),
            *total("squared_error", reductions.value(self.reduction, squares.error("A")), penalty),
        )
