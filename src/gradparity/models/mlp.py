"""The multilayer perceptron: affine maps with an activation after each, and any of seven losses.

Source of the recursion: C. Bishop, Pattern Recognition and Machine Learning (2006), section 5.3.1.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
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
from gradparity.operations import (
    affine,
    batch_norm,
    cross_entropy,
    dropout,
    entrywise,
    linear,
    perceptron,
    reductions,
    squares,
)
from gradparity.operations.layer_norm import NormConvention
from gradparity.operations.perceptron import Biases, Loss, Norm
from gradparity.protocol import Array, Batch, Line, Params


@dataclass(frozen=True)
class MLP:
    """z₁ = xW₁ + b₁, a₁ = φ(z₁), z₂ = a₁W₂ + b₂, …; the loss compares the last activation a_L with y.

    A hidden layer may normalise z, drop from a, and add what it was given where that has its width ("residual").
    Conventions: ReLU'(0) = 0. A reduction is over the examples, after the sum over outputs: "mean" divides by n,
    "mean-of-entries" by the outputs too, "half-" is half of it (squared error only).
    Before a batch norm there is no b, which would do nothing.
    """

    widths: tuple[int, ...] = (7, 6, 4, 5)
    """The sizes of input, hidden layers and output."""
    activation: entrywise.Name = "relu"
    output_activation: entrywise.Name = "identity"
    loss: Loss = "cross_entropy"
    reduction: reductions.Name = "mean"
    init_weights: initial.Name = "he"
    init_std: float = 0.01
    """Of weights that are "normal"."""
    init_bias_std: float = 0.0
    weight_decay: float = 0.0
    """λ of the L2 penalty."""
    penalty: squares.Penalty = "half-sum"
    decay_biases: bool = False
    """Whether the penalty is on each b too, not on each W alone."""
    margin: float = 1.0
    """Δ of the hinge losses."""
    norm: Norm = "none"
    """Of each hidden layer's z."""
    epsilon: float = 1e-5
    epsilon_outside: bool = False
    """Whether a norm divides by σ + ε, with ε outside of the root."""
    unbiased: bool = False
    """Whether σ² is of one degree of freedom less."""
    momentum: float = 0.1
    """The weight of a new batch in the running mean and variance (in Keras and Flax, one minus this)."""
    running_unbiased: bool = True
    """Whether the running variance is that of m − 1 degrees of freedom, as in PyTorch and not in Keras and Flax."""
    dropout: float = 0.0
    """The share of each hidden activation that a step drops; its masks are the batch's extras "mask1", …."""
    residual: bool = False
    biases: Biases = "one"
    """Whether an affine map has a b."""
    leak: float = entrywise.LEAK
    """The slope of the leaky ReLU below 0."""

    def __post_init__(self) -> None:
        """Raise UsageError for widths below 1, unknown choices, and choices that do not go together."""
        if not isinstance(self.widths, tuple) or len(self.widths) < 2:
            raise UsageError(f"mlp: widths must name at least input and output size, got {self.widths!r}")
        require_positive("mlp", **{f"widths[{i}]": width for i, width in enumerate(self.widths)})
        coefficients = ("init_std", "init_bias_std", "weight_decay", "margin", "epsilon", "momentum", "leak")
        require_finite("mlp", **{name: getattr(self, name) for name in coefficients})
        require_choices(self)
        reductions.require("mlp", self.loss, self.reduction)
        if not 0 <= self.dropout < 1:
            raise UsageError(f"mlp: dropout must be a share, at least 0 and below 1, got {self.dropout!r}")
        if self.residual and not any(self.adds(k) for k in range(1, self.depth)):
            raise UsageError(
                f"mlp: residual needs a layer as wide as its input, got widths {self.widths}: set hidden=32,32"
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
        return cls(widths=(features, *(hidden if isinstance(hidden, tuple) else (hidden,)), outputs), **settings)

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "mlp"

    @property
    def depth(self) -> int:
        """The number of affine maps."""
        return len(self.widths) - 1

    @property
    def activations(self) -> tuple[entrywise.Name, ...]:
        """What is applied to each layer's affine map; the last layer has its own."""
        return (*(self.activation,) * (self.depth - 1), self.output_activation)

    @property
    def real_targets(self) -> bool:
        """Whether y is real numbers (n, outputs), not labels."""
        return self.loss not in ("cross_entropy", "hinge", "squared_hinge")

    @property
    def size(self) -> NormConvention:
        """By what a norm divides."""
        return NormConvention(self.epsilon, self.epsilon_outside, self.unbiased)

    @property
    def penalised(self) -> list[str]:
        """The names of what the penalty is on: every layer's W, and its b."""
        return [name for name in self.param_shapes if name[0] == "W" or (self.decay_biases and name[0] == "b")]

    @property
    def has_margins(self) -> bool:
        """Whether the loss is one of margins."""
        return self.loss.endswith("hinge")

    def adds(self, k: int) -> bool:
        """Whether layer k adds what it is given."""
        return self.residual and k < self.depth and self.widths[k - 1] == self.widths[k]

    def biased(self, k: int) -> bool:
        """Whether layer k's affine map has a b."""
        return self.biases == "one" and (self.norm != "batch" or k == self.depth)

    def loss_divisor(self, n: int) -> int:
        """What the sum over n examples is divided by."""
        return reductions.divisor(self.reduction, n, self.widths[-1])

    def penalty_factor(self, n: int) -> float:
        """The factor in front of Σ W², for n examples."""
        return self.weight_decay / reductions.divisor(self.penalty, n)

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """W1 (widths[0], widths[1]), b1 (widths[1],), with a norm norm1.gain and norm1.bias (widths[1],), W2, …."""
        shapes: dict[str, tuple[int, ...]] = {}
        for k, ends in enumerate(pairwise(self.widths), start=1):
            dense = (affine if self.biased(k) else linear).shapes(*ends)
            shapes |= {f"{name}{k}": shape for name, shape in dense.items()}
            if self.norm != "none" and k < self.depth:
                shapes |= {f"norm{k}.{name}": shape for name, shape in batch_norm.shapes(ends[1]).items()}
        return shapes

    @property
    def norms(self) -> dict[str, int]:
        """The place of each batch norm, and its channels."""
        return {f"norm{k}": self.widths[k] for k in range(1, self.depth) if self.norm == "batch"}

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """The running mean and variance of each batch norm."""
        return batch_norm.initial(self.norms)

    @property
    def observed(self) -> tuple[str, ...]:
        """The mean and the variance of each batch norm, and its output, which has the shape."""
        return tuple(f"{place}.{name}" for place in self.norms for name in batch_norm.OBSERVED)

    def update(self, statistics: Params, values: Params) -> dict[str, Array]:
        """Let the running statistics follow the batch's own."""
        running = batch_norm.Running(self.momentum, self.running_unbiased)
        return batch_norm.updated(self.norms, statistics, values, self.size, running)

    @property
    def kinks(self) -> dict[str, Literal["relu"]]:
        """What goes into a ReLU, which has a kink at 0, and the margins of the hinge loss."""
        before = {self.before(k): phi for k, phi in enumerate(self.activations, start=1)}
        margins: dict[str, Literal["relu"]] = {"margins": "relu"} if self.loss in ("hinge", "binary_hinge") else {}
        return entrywise.kinks(before) | margins

    def before(self, k: int) -> str:
        """What layer k's activation is applied to."""
        return f"z{k}" if self.norm == "none" or k == self.depth else f"norm{k}.out"

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Weights as ``init_weights`` says; gains one, biases zero or N(0, init_bias_std²)."""
        spreads = {"std": self.init_std, "bias_std": self.init_bias_std}
        return initial.parameters(rng, self.param_shapes, self.init_weights, **spreads)

    def draw_extras(self, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        """Draw the masks of n examples, one for each hidden layer."""
        layers = range(1, self.depth) if self.dropout else ()
        return {f"mask{k}": dropout.draw_mask(rng, n, self.widths[k], self.dropout) for k in layers}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Normal inputs x (n, widths[0]); unbalanced labels y (n,), or real targets (n, widths[-1]); and masks."""
        x, outputs = normal_inputs(rng, n, self.widths[0]), self.widths[-1]
        if self.loss == "sigmoid_cross_entropy":
            y = rng.uniform(size=(n, outputs))
        elif self.real_targets and self.has_margins:
            y = rng.choice([-1.0, 1.0], size=(n, outputs), p=[0.3, 0.7])
        else:
            y = normal_inputs(rng, n, outputs) if self.real_targets else unbalanced_labels(rng, n, outputs)
        return Batch(x, y, self.draw_extras(rng, n))

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["MLP", int]:
        """Draw depth, widths and every setting; return the spec and a number of examples."""
        *widths, n = distinct_sizes(rng, int(rng.integers(1, 5)) + 2)
        residual = len(widths) > 2 and rng.random() < 0.3
        if residual:
            widths.insert(1, widths[1])
        loss = str(rng.choice(get_args(Loss)))
        settings: dict[str, Any] = {
            "activation": str(rng.choice(get_args(entrywise.Name))),
            "output_activation": str(rng.choice(get_args(entrywise.Name))),
            "loss": loss,
            "reduction": str(rng.choice(reductions.OF_LOSS[loss])),
            "weight_decay": float(rng.choice([0.0, rng.uniform(0.001, 1)])),
            "penalty": str(rng.choice(get_args(squares.Penalty))),
            # A row of two numbers is always normalised to ±1: nothing of it is left to differentiate.
            "norm": str(rng.choice(get_args(Norm) if 2 not in widths[1:-1] else ["none", "batch"])),
            "epsilon": float(rng.choice([1e-5, 1e-2])),
            "epsilon_outside": bool(rng.random() < 0.3),
            "unbiased": bool(rng.random() < 0.3),
            "momentum": float(rng.uniform(0.01, 0.5)),
            "running_unbiased": bool(rng.random() < 0.5),
            "dropout": float(rng.choice([0.0, 0.0, rng.uniform(0.1, 0.6)])),
            "residual": residual,
            "decay_biases": bool(rng.random() < 0.5),
            "margin": float(rng.choice([1.0, rng.uniform(0.1, 3)])),
            "biases": str(rng.choice(get_args(Biases))),
            "leak": float(rng.choice([entrywise.LEAK, rng.uniform(0.1, 0.9)])),
        }
        # A row of zeros, and a channel of units that are all dead, do not vary: with ε outside a norm has a kink there.
        zeros = {"layer": settings["biases"] == "none", "batch": settings["activation"] == "relu"}
        settings["epsilon_outside"] &= not zeros.get(settings["norm"], False)
        return cls(widths=tuple(widths), **settings), n

    @classmethod
    def variants(cls) -> dict[str, "MLP"]:
        """Return the settings that between them have every line, by what they are called."""
        squared = cls(activation="sigmoid", output_activation="tanh", loss="squared_error", reduction="half-sum")
        hinged = cls((7, 6, 4), loss="hinge", norm="batch", weight_decay=0.3, dropout=0.25, activation="tanh")
        added = cls((7, 6, 6, 4), loss="sigmoid_cross_entropy", norm="layer", residual=True, activation="gelu")
        return {
            "relu": cls(),
            "tanh": cls(activation="tanh"),
            "squared error": squared,
            "batch norm": hinged,
            "residual": added,
        }

    def flops(self, n: int) -> int:
        """Per layer a product forward and two backward (the first layer has no input gradient), then the updates."""
        hidden, decayed = sum(self.widths[1:-1]), sum(prod(self.param_shapes[name]) for name in self.penalised)
        return (
            sum(affine.flops(n, *ends, of_input=k > 0) for k, ends in enumerate(pairwise(self.widths)))
            + entrywise.flops(n, sum(self.widths[1:]))
            + (batch_norm.flops(n, hidden) if self.norm != "none" else 0)
            + (dropout.flops(n, hidden) if self.dropout else 0)
            + cross_entropy.flops(n, self.widths[-1])
            + (squares.penalty_flops(decayed) if self.weight_decay else 0)
            + 2 * sum(prod(shape) for shape in self.param_shapes.values())
        )

    @property
    def derivation(self) -> tuple[Line, ...]:
        """For each layer W, b, z, the norm's lines, a, what is dropped and added; then the loss."""
        return perceptron.lines(self)
