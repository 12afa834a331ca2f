"""Softmax regression: one affine map, softmax cross-entropy, optionally an L2 penalty on the weights.

Source of the gradient: C. Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.4, equation 4.109.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.inputs import normal_inputs, require_finite, require_positive, unbalanced_labels
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class SoftmaxRegression:
    """L = −(1/n) Σᵢ log softmax(xᵢW + b)[yᵢ] + (λ/2) Σ W².

    Conventions: the mean is over the batch; the penalty is on W and not on b, and is not divided by n.
    """

    features: int = 7
    classes: int = 5
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    init_std: float = 0.01
    """Standard deviation of the initial weights; the initial bias is zero."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1 and for negative or infinite coefficients."""
        require_positive("softmax_regression", features=self.features, classes=self.classes)
        require_finite("softmax_regression", weight_decay=self.weight_decay, init_std=self.init_std)

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "SoftmaxRegression":
        """Fit the sizes to a data set. Raises UsageError for real targets."""
        if classes is None:
            raise UsageError(
                f"softmax_regression needs labels, got {outputs} real target(s) an example: use the model mlp"
            )
        return cls(features=features, classes=classes, **settings)

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "softmax_regression"

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W (features, classes), b (classes,)."""
        return {"W": (self.features, self.classes), "b": (self.classes,)}

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """W ~ N(0, init_std²), b = 0."""
        return {"W": rng.normal(0, self.init_std, self.param_shapes["W"]), "b": np.zeros(self.classes)}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Normal inputs x (n, features) and unbalanced labels y (n,)."""
        return Batch(normal_inputs(rng, n, self.features), unbalanced_labels(rng, n, self.classes))

    def flops(self, n: int) -> int:
        """Forward xW, backward xᵀdZ, and per logit 8 operations for softmax, loss and P − Y."""
        multiply = 2 * n * self.features * self.classes
        update = 2 * (self.features + 1) * self.classes * (2 if self.weight_decay else 1)
        return 2 * multiply + 8 * n * self.classes + update

    @property
    def derivation(self) -> tuple[Line, ...]:
        """W, b, logits, then the loss; with weight decay, its two terms before it."""
        decayed = self.weight_decay > 0
        affine = (
            Line(
                "W",
                "",
                r"\mathrm{d}W = X^\top \mathrm{d}Z" + (r" + \lambda W" if decayed else ""),
                "Weight W[j,k] touches every example's logit k through that example's feature j, so the examples' "
                "shares x[i,j]·dZ[i,k] are summed over i: that sum is Xᵀ dZ."
                + (" The penalty adds its own share λW." if decayed else ""),
            ),
            Line(
                "b",
                "",
                r"\mathrm{d}b = \textstyle\sum_i \mathrm{d}Z_i",
                "The bias is added to every example's logits, so its gradient is the sum over the batch.",
            ),
            Line(
                "logits",
                r"Z = XW + b",
                r"\mathrm{d}Z = \frac{1}{n}(P - Y), \quad P = \operatorname{softmax}(Z)",
                "log-sum-exp has derivative softmax and the picked logit has derivative one-hot; "
                "the mean over the batch divides both by n.",
            ),
        )
        cross_entropy = r"\frac{1}{n} \sum_i \left( \log \sum_k e^{Z_{ik}} - Z_{i y_i} \right)"
        seed = Line("loss", r"L = " + cross_entropy, r"\mathrm{d}L = 1", "Every backward pass starts from ∂L/∂L = 1.")
        if not decayed:
            return (*affine, seed)
        total = "The total loss is the sum of its terms, so each receives the upstream gradient unchanged."
        return (
            *affine,
            Line("cross_entropy", r"E = " + cross_entropy, r"\mathrm{d}E = \mathrm{d}L", total),
            Line(
                "penalty",
                r"R = \frac{\lambda}{2} \sum_{jk} W_{jk}^2",
                r"\mathrm{d}R = \mathrm{d}L",
                total,
            ),
            Line("loss", r"L = E + R", seed.backward, seed.why),
        )
