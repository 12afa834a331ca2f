"""Logistic regression: is it this class or not? One affine map to one logit, sigmoid cross-entropy, an L2 penalty.

Source: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.2, equation 4.91.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gradparity import initial
from gradparity.errors import UsageError
from gradparity.inputs import (
    distinct_sizes,
    normal_inputs,
    require_choices,
    require_finite,
    require_positive,
    unbalanced_labels,
)
from gradparity.operations import affine, reductions, sigmoid_cross_entropy, squares
from gradparity.operations.rules import both, line, total
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class LogisticRegression:
    """L = (1/n) Σᵢ log(1 + exp(zᵢ)) − tᵢzᵢ + (λ/2) Σ W², where zᵢ = xᵢW + b, and tᵢ is 1 for one class, else 0.

    Conventions: the loss is a mean over the batch, or the sum; the penalty is on W, or on W and b, and what its sum of
    squares is divided by is a setting.
    """

    features: int = 7
    positive: int = 1
    """The label whose t is 1; that of every other label is 0."""
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    init_std: float = 0.01
    """Standard deviation of the initial weights; the initial bias is zero."""
    reduction: Literal["mean", "sum"] = "mean"
    penalty: squares.Penalty = "half-sum"
    decay_biases: bool = False
    """Whether the penalty is on b too, not on W alone."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, negative or infinite coefficients, no label, and unknown choices."""
        require_positive(self.name, features=self.features)
        if not isinstance(self.positive, int) or self.positive < 0:
            raise UsageError(f"logistic_regression: positive must be a label, 0 or above, got {self.positive!r}")
        require_finite(self.name, weight_decay=self.weight_decay, init_std=self.init_std)
        require_choices(self)

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "LogisticRegression":
        """Fit the size to a data set. Raises UsageError for real targets, and for a positive class that it lacks."""
        if classes is None:
            raise UsageError(
                f"logistic_regression needs labels, got {outputs} real target(s) an example: use linear_regression"
            )
        spec = cls(features=features, **settings)
        if spec.positive >= classes:
            raise UsageError(
                f"logistic_regression: positive must be one of the data's {classes} classes, 0 to {classes - 1}, "
                f"got {spec.positive}"
            )
        return spec

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "logistic_regression"

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (features, 1), b (1,)."""
        return affine.shapes(self.features, 1)

    @property
    def real_targets(self) -> bool:
        """False: y is labels."""
        return False

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
        """Normal inputs x (n, features) and unbalanced labels y (n,), the positive class the most frequent of them."""
        return Batch(normal_inputs(rng, n, self.features), unbalanced_labels(rng, n, self.positive + 1))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["LogisticRegression", int]:
        """Draw a size, a class, weight decay half of the time, what is divided by what; and a number of examples."""
        features, positive, n = distinct_sizes(rng, 3)
        settings: dict[str, Any] = {
            "weight_decay": float(rng.choice([0.0, rng.uniform(0.001, 1)])),
            "reduction": str(rng.choice(["mean", "sum"])),
            "penalty": str(rng.choice(get_args(squares.Penalty))),
            "decay_biases": bool(rng.random() < 0.5),
        }
        return cls(features, positive, **settings), n

    @classmethod
    def variants(cls) -> dict[str, "LogisticRegression"]:
        """Return the settings that between them have every line, by what they are called."""
        return {"": cls(), "decayed": cls(weight_decay=0.3, penalty="half-mean")}

    def flops(self, n: int) -> int:
        """Forward xW, backward xᵀdZ, loss and penalty, then the update."""
        multiply = affine.flops(n, self.features, 1, of_input=False)
        penalty = squares.penalty_flops(self.features) if self.weight_decay else 0
        return multiply + sigmoid_cross_entropy.flops(n, 1) + penalty + 2 * (self.features + 1)

    @property
    def derivation(self) -> tuple[Line, ...]:
        """W, b, logits, then the loss; with weight decay, its two terms before it."""
        of_weights, of_bias, penalty = affine.of_weights("X", "Z"), affine.of_bias("Z"), ""
        if self.weight_decay:
            of_weights = both(of_weights, squares.of_penalty(self.penalty, "W"))
            penalty = squares.penalty(self.penalty, *self.penalised)
        if self.weight_decay and self.decay_biases:
            of_bias = both(of_bias, squares.of_penalty(self.penalty, "b"))
        return (
            line("W", "W", of_weights),
            line("b", "b", of_bias),
            line("logits", "Z", sigmoid_cross_entropy.of_input(self.reduction, "Z", "T"), affine.value("X", "W", "b")),
            *total("cross_entropy", reductions.value(self.reduction, sigmoid_cross_entropy.value("Z", "T")), penalty),
        )
