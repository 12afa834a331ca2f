"""The multilayer perceptron: affine maps with an activation after each, softmax cross-entropy or squared error.

Source of the recursion: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from gradparity.errors import UsageError, unknown
from gradparity.inputs import distinct_sizes, normal_inputs, require_finite, require_positive, unbalanced_labels
from gradparity.operations import affine, cross_entropy, entrywise, reductions, squares
from gradparity.operations.rules import SEED, line
from gradparity.protocol import Batch, Line

Activation: TypeAlias = entrywise.Name
Reduction: TypeAlias = reductions.Name
Loss = Literal["cross_entropy", "squared_error"]
Init = Literal["he", "normal"]
MOST_LAYERS = 4
"""Of a random variant."""


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
    def activations(self) -> tuple[Activation, ...]:
        """What is applied to each layer's affine map; the last layer has its own."""
        return (*(self.activation,) * (self.depth - 1), self.output_activation)

    @property
    def real_targets(self) -> bool:
        """Whether y is real numbers (n, outputs), not labels."""
        return self.loss == "squared_error"

    def loss_divisor(self, n: int) -> int:
        """What the sum over n examples is divided by."""
        return reductions.divisor(self.reduction, n, self.widths[-1])

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W1 (widths[0], widths[1]), b1 (widths[1],), W2, …."""
        layers = enumerate(zip(self.widths, self.widths[1:], strict=False), start=1)
        return {f"{name}{k}": shape for k, ends in layers for name, shape in affine.shapes(*ends).items()}

    @property
    def kinks(self) -> dict[str, Literal["relu"]]:
        """The pre-activations of every layer with ReLU, which has a kink at 0."""
        return entrywise.kinks({f"z{k}": phi for k, phi in enumerate(self.activations, start=1)})

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
        y = normal_inputs(rng, n, outputs) if self.real_targets else unbalanced_labels(rng, n, outputs)
        return Batch(x, y)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["MLP", int]:
        """Draw depth, widths, activations, loss and reduction; return the spec and a number of examples."""
        *widths, n = distinct_sizes(rng, int(rng.integers(1, MOST_LAYERS + 1)) + 2)
        loss = str(rng.choice(["cross_entropy", "squared_error"]))
        losses = ["mean", "sum"] + (["half-sum"] if loss == "squared_error" else [])
        settings: dict[str, Any] = {
            "activation": str(rng.choice(get_args(Activation))),
            "output_activation": str(rng.choice(get_args(Activation))),
            "loss": loss,
            "reduction": str(rng.choice(losses)),
        }
        return cls(widths=tuple(widths), **settings), n

    @classmethod
    def variants(cls) -> dict[str, "MLP"]:
        """Return the settings that between them have every line, by what they are called."""
        squared = cls(activation="sigmoid", output_activation="tanh", loss="squared_error", reduction="half-sum")
        return {"relu": cls(), "tanh": cls(activation="tanh"), "squared error": squared}

    def flops(self, n: int) -> int:
        """Per layer a product forward and two backward (the first layer has no input gradient), then the updates."""
        layers = enumerate(zip(self.widths, self.widths[1:], strict=False))
        loss = squares.error_flops if self.real_targets else cross_entropy.flops
        update = 2 * sum(int(np.prod(shape)) for shape in self.param_shapes.values())
        return (
            sum(affine.flops(n, *ends, of_input=k > 0) for k, ends in layers)
            + entrywise.flops(n, sum(self.widths[1:]))
            + loss(n, self.widths[-1])
            + update
        )

    @property
    def derivation(self) -> tuple[Line, ...]:
        """For each layer W, b, z and a; then the loss."""
        layers = (self._layer(k, phi) for k, phi in enumerate(self.activations, start=1))
        output = f"A_{self.depth}"
        per_example = squares.error(output) if self.real_targets else cross_entropy.value(output)
        loss = line("loss", "L", SEED, reductions.value(self.reduction, per_example))
        return (*(each for layer in layers for each in layer), loss)

    def _layer(self, k: int, phi: Activation) -> tuple[Line, ...]:
        below = "X" if k == 1 else f"A_{k - 1}"
        weights, bias, z, a = f"W_{k}", f"b_{k}", f"Z_{k}", f"A_{k}"
        if k < self.depth:
            of_output = affine.of_input(f"W_{k + 1}", f"Z_{k + 1}")
        elif self.real_targets:
            of_output = squares.of_error(self.reduction, a)
        else:
            of_output = cross_entropy.of_input(self.reduction, a)
        return (
            line(f"W{k}", weights, affine.of_weights(below, z)),
            line(f"b{k}", bias, affine.of_bias(z)),
            line(f"z{k}", z, entrywise.of_input(phi, z, a), affine.value(below, weights, bias)),
            line(f"a{k}", a, of_output, entrywise.value(phi, z)),
        )
