"""The multilayer perceptron: affine maps with an activation after each, softmax cross-entropy or squared error.

Source of the recursion: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from gradparity.errors import UsageError, unknown
from gradparity.inputs import normal_inputs, require_finite, require_positive, unbalanced_labels
from gradparity.protocol import Batch, Line

Activation = Literal["relu", "tanh", "sigmoid", "identity"]
Loss = Literal["cross_entropy", "squared_error"]
Reduction = Literal["mean", "sum", "half-sum"]
Init = Literal["he", "normal"]


@dataclass(frozen=True)
class MLP:
    """z₁ = xW₁ + b₁, a₁ = φ(z₁), z₂ = a₁W₂ + b₂, …; the loss compares the last activation a_L with y.

    Conventions: ReLU'(0) = 0. A reduction is over the examples, after the sum over outputs: "mean" divides by n,
    "sum" does not, "half-sum" is half the sum (squared error only).
    """

    widths: tuple[int, ...] = (7, 6, 4, 5)
    """The sizes of input, hidden layers and output."""
    activation: Activation = "relu"
    output_activation: Activation = "identity"
    loss: Loss = "cross_entropy"
    reduction: Reduction = "mean"
    init_weights: Init = "he"
    """"he": N(0, 2 / fan-in) (He et al. 2015, arXiv:1502.01852, equation 10); "normal": N(0, init_std²)."""
    init_std: float = 0.01

    def __post_init__(self) -> None:
        """Raise UsageError for widths below 1, unknown choices, and half-sum without squared error."""
        if not isinstance(self.widths, tuple) or len(self.widths) < 2:
            raise UsageError(f"mlp: widths must name at least input and output size, got {self.widths!r}")
        require_positive("mlp", **{f"widths[{i}]": width for i, width in enumerate(self.widths)})
        require_finite("mlp", init_std=self.init_std)
        for field, choices in (
            ("activation", Activation),
            ("output_activation", Activation),
            ("loss", Loss),
            ("reduction", Reduction),
            ("init_weights", Init),
        ):
            if getattr(self, field) not in get_args(choices):
                raise unknown(f"mlp {field}", str(getattr(self, field)), get_args(choices))
        if self.reduction == "half-sum" and self.loss != "squared_error":
            raise UsageError(
                f"mlp: reduction 'half-sum' goes with loss 'squared_error', got loss '{self.loss}': use 'sum' or 'mean'"
            )

    @classmethod
    def for_data(
        cls,
        features: int,
        classes: int | None,
        outputs: int,
        *,
        hidden: int | tuple[int, ...] = (32,),
        **settings: Any,
    ) -> "MLP":
        """Fit the ends to a data set, with ``hidden`` widths between; real targets take squared error.

        Raises UsageError when ``widths`` is among the settings.
        """
        if "widths" in settings:
            raise UsageError("mlp: the data set gives the first and the last of widths: set hidden=64 or hidden=64,32")
        if classes is None:
            settings.setdefault("loss", "squared_error")
        between = hidden if isinstance(hidden, tuple) else (hidden,)
        return cls(widths=(features, *between, outputs), **settings)

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "mlp"

    @property
    def depth(self) -> int:
        """The number of affine maps."""
        return len(self.widths) - 1

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W1 (widths[0], widths[1]), b1 (widths[1],), W2, …."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (fan_in, fan_out) in enumerate(zip(self.widths, self.widths[1:], strict=False), start=1):
            shapes[f"W{layer}"] = (fan_in, fan_out)
            shapes[f"b{layer}"] = (fan_out,)
        return shapes

    @property
    def kinks(self) -> dict[str, Literal["relu"]]:
        """The pre-activations of every layer with ReLU, which has a kink at 0."""
        activations = [self.activation] * (self.depth - 1) + [self.output_activation]
        return {f"z{layer}": "relu" for layer, phi in enumerate(activations, start=1) if phi == "relu"}

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Weights as ``init_weights`` says; biases zero."""

        def draw(shape: tuple[int, ...]) -> np.ndarray:
            if len(shape) == 1:
                return np.zeros(shape)
            std = np.sqrt(2 / shape[0]) if self.init_weights == "he" else self.init_std
            return rng.normal(0, std, shape)

        return {name: draw(shape) for name, shape in self.param_shapes.items()}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Normal inputs x (n, widths[0]); unbalanced labels y (n,), or normal targets (n, widths[-1])."""
        x = normal_inputs(rng, n, self.widths[0])
        outputs = self.widths[-1]
        y = unbalanced_labels(rng, n, outputs) if self.loss == "cross_entropy" else normal_inputs(rng, n, outputs)
        return Batch(x, y)

    def flops(self, n: int) -> int:
        """Per layer a product forward and two backward (the first layer has no input gradient), then the updates."""
        products = [2 * n * a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        elementwise = 4 * n * sum(self.widths[1:]) + 8 * n * self.widths[-1]
        update = 2 * sum(int(np.prod(shape)) for shape in self.param_shapes.values())
        return 3 * sum(products) - products[0] + elementwise + update

    @property
    def derivation(self) -> tuple[Line, ...]:
        """For each layer W, b, z and a; then the loss."""
        lines = [line for layer in range(1, self.depth + 1) for line in self._layer(layer)]
        return (*lines, self._loss_line())

    def _layer(self, layer: int) -> tuple[Line, ...]:
        below = "X" if layer == 1 else f"A_{layer - 1}"
        last = layer == self.depth
        phi = self.output_activation if last else self.activation
        upstream = self._output_gradient() if last else rf"\mathrm{{d}}Z_{layer + 1} W_{layer + 1}^\top"
        return (
            Line(
                f"W{layer}",
                "",
                rf"\mathrm{{d}}W_{layer} = {below}^\top \mathrm{{d}}Z_{layer}",
                "A weight touches every example, so the products of its input and its output's upstream gradient "
                "are summed over the batch.",
            ),
            Line(
                f"b{layer}",
                "",
                rf"\mathrm{{d}}b_{layer} = \textstyle\sum_i (\mathrm{{d}}Z_{layer})_i",
                "The bias is added to every example, so its gradient is the sum over the batch.",
            ),
            Line(
                f"z{layer}",
                rf"Z_{layer} = {below} W_{layer} + b_{layer}",
                rf"\mathrm{{d}}Z_{layer} = \mathrm{{d}}A_{layer}" + LOCAL_DERIVATIVE[phi].format(layer=layer),
                f"The activation acts entry by entry ({phi}), so its local derivative multiplies entry by entry.",
            ),
            Line(
                f"a{layer}",
                rf"A_{layer} = " + ACTIVATION[phi].format(layer=layer),
                rf"\mathrm{{d}}A_{layer} = {upstream}",
                "The loss reads the output directly: this is the loss's own derivative."
                if last
                else "Each entry feeds every unit of the next layer, so the gradient comes back through W transposed.",
            ),
        )

    def _output_gradient(self) -> str:
        scale = {"mean": r"\frac{1}{n}", "sum": "", "half-sum": r"\frac{1}{2}"}[self.reduction]
        if self.loss == "cross_entropy":
            return rf"{scale}(\operatorname{{softmax}}(A_{self.depth}) - Y)"
        return rf"{scale} 2 (A_{self.depth} - Y)"

    def _loss_line(self) -> Line:
        scale = {"mean": r"\frac{1}{n}", "sum": "", "half-sum": r"\frac{1}{2}"}[self.reduction]
        out = f"A_{self.depth}"
        term = (
            rf"\left( \log \sum_k e^{{({out})_{{ik}}}} - ({out})_{{i y_i}} \right)"
            if self.loss == "cross_entropy"
            else rf"\lVert ({out})_i - Y_i \rVert^2"
        )
        return Line(
            "loss",
            rf"L = {scale} \sum_i {term}",
            r"\mathrm{d}L = 1",
            "Every backward pass starts from ∂L/∂L = 1.",
        )


ACTIVATION = {
    "relu": r"\max(Z_{layer}, 0)",
    "tanh": r"\tanh(Z_{layer})",
    "sigmoid": r"\frac{{1}}{{1 + e^{{-Z_{layer}}}}}",
    "identity": r"Z_{layer}",
}
LOCAL_DERIVATIVE = {
    "relu": r" \odot [Z_{layer} > 0]",
    "tanh": r" \odot (1 - A_{layer}^2)",
    "sigmoid": r" \odot A_{layer} \odot (1 - A_{layer})",
    "identity": "",
}
