"""Softmax regression: one affine map, softmax cross-entropy, optionally an L2 penalty on the weights.

Source of the gradient: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4, equation 4.109.
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
from gradparity.operations import affine, cross_entropy, reductions, squares
from gradparity.operations.rules import both, line, total
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class SoftmaxRegression:
    """L = −(1/n) Σᵢ log softmax(xᵢW + b)[yᵢ] + (λ/2) Σ W².

    Conventions: the loss is a mean over the batch, or the sum; the penalty is on W, or on W and b, and what its sum of
    squares is divided by is a setting.
    """

    features: int = 7
    classes: int = 5
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    init_std: float = 0.01
    """Standard deviation of the initial weights; the initial bias is zero."""
    reduction: Literal["mean", "sum"] = "mean"
    penalty: squares.Penalty = "half-sum"
    decay_biases: bool = False
    """Whether the penalty is on b too, not on W alone."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, negative or infinite coefficients, and unknown choices."""
        require_positive(self.name, features=self.features, classes=self.classes)
        require_finite(self.name, weight_decay=self.weight_decay, init_std=self.init_std)
        require_choices(self)

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "SoftmaxRegression":
        """Fit the sizes to a data set. Raises UsageError for real targets."""
        if classes is None:
            raise UsageError(
                f"softmax_regression needs labels, got {outputs} real target(s) an example: use linear_regression"
            )
        return cls(features=features, classes=classes, **settings)

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "softmax_regression"

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (features, classes), b (classes,)."""
        return affine.shapes(self.features, self.classes)

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
        """Normal inputs x (n, features) and unbalanced labels y (n,)."""
        return Batch(normal_inputs(rng, n, self.features), unbalanced_labels(rng, n, self.classes))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["SoftmaxRegression", int]:
        """Draw sizes, weight decay half of the time, and what is divided by what; and a number of examples."""
        features, classes, n = distinct_sizes(rng, 3)
        settings: dict[str, Any] = {
            "weight_decay": float(rng.choice([0.0, rng.uniform(0.001, 1)])),
            "reduction": str(rng.choice(["mean", "sum"])),
            "penalty": str(rng.choice(get_args(squares.Penalty))),
            "decay_biases": bool(rng.random() < 0.5),
        }
        return cls(features, classes, **settings), n

    @classmethod
    def variants(cls) -> dict[str, "SoftmaxRegression"]:
        """Return the settings that between them have every line, by what they are called."""
        return {"": cls(), "decayed": cls(weight_decay=0.3)}

    def flops(self, n: int) -> int:
        """Forward xW, backward xᵀdZ, and per logit 8 operations for softmax, loss and P − Y."""
        update = 2 * (self.features + 1) * self.classes * (2 if self.weight_decay else 1)
        multiply = affine.flops(n, self.features, self.classes, of_input=False)
        return multiply + cross_entropy.flops(n, self.classes) + update

    @property
    def derivation(self) -> tuple[Line, ...]:
        """W, b, logits, then the loss; with weight decay, its two terms before it."""
        of_weights = affine.of_weights("X", "Z")._replace(
            why="Weight W[j,k] touches every example's logit k through that example's feature j, so the examples' "
            "shares x[i,j]·dZ[i,k] are summed over i: that sum is Xᵀ dZ."
        )
        of_bias = affine.of_bias("Z")._replace(
            why="The bias is added to every example's logits, so its gradient is the sum over the batch."
        )
        of_logits = cross_entropy.of_input(self.reduction, "Z", probabilities="P")._replace(
            why="log-sum-exp has derivative softmax and the picked logit has derivative one-hot"
            + ("; the mean over the batch divides both by n." if self.reduction == "mean" else ".")
        )
        penalty = ""
        if self.weight_decay:
            of_weights = both(of_weights, squares.of_penalty(self.penalty, "W"))
            penalty = squares.penalty(self.penalty, *self.penalised)
        if self.weight_decay and self.decay_biases:
            of_bias = both(of_bias, squares.of_penalty(self.penalty, "b"))
        return (
            line("W", "W", of_weights),
            line("b", "b", of_bias),
            line("logits", "Z", of_logits, affine.value("X", "W", "b")),
            *total("cross_entropy", reductions.value(self.reduction, cross_entropy.value("Z")), penalty),
        )
