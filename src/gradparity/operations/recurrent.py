"""What the recurrent character models share around their cell: tokens (n, length) in, logits and the loss out.

Embedding or one-hot rows of the tokens, the states of the cell, an affine map of every state to logits (n, length,
vocabulary), and the cross-entropy of each next token.
"""

from collections.abc import Callable
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from gradparity.errors import UsageError
from gradparity.inputs import distinct_sizes, require_choices, require_positive, token_inputs
from gradparity.operations import affine, cross_entropy, embedding, positions
from gradparity.operations.rules import SEED, GradientRule, d, line
from gradparity.protocol import Batch, Line

Inputs = Literal["embedding", "one_hot"]
InitialState = Literal["zero", "given"]
Shapes = dict[str, tuple[int, ...]]
LARGEST = 9
"""Of a random size: what a loop writes is compiled step by step."""


@runtime_checkable
class Recurrent(Protocol):
    """The settings that all of them have."""

    @property
    def vocabulary(self) -> int:
        """The number of different tokens."""

    @property
    def width(self) -> int:
        """The size of an embedded token."""

    @property
    def hidden(self) -> int:
        """The size of a state."""

    @property
    def length(self) -> int:
        """The number of time steps of an example."""

    @property
    def inputs(self) -> Inputs:
        """What the cell reads of a token."""

    @property
    def initial_state(self) -> InitialState:
        """Where time begins."""

    @property
    def reduction(self) -> positions.Reduction:
        """Over positions and sequences."""


def require(model: str, spec: Recurrent) -> None:
    """Raise UsageError for sizes below 1, a vocabulary of one token, and unknown choices."""
    sizes = {"vocabulary": spec.vocabulary, "width": spec.width, "hidden": spec.hidden, "length": spec.length}
    require_positive(model, **sizes)
    require_vocabulary(model, spec.vocabulary)
    require_choices(spec)


def require_vocabulary(model: str, vocabulary: int) -> None:
    """Raise UsageError where there is nothing to predict."""
    if vocabulary < 2:
        raise UsageError(f"{model}: a vocabulary needs at least 2 tokens to choose from, got {vocabulary}")


def fitted(model: str, classes: int | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings for a data set. Raises UsageError for real targets, and for states that are to be given."""
    if classes is None:
        raise UsageError(f"{model} predicts tokens, got real targets: use --data text")
    if settings.get("initial_state") == "given":
        raise UsageError(f"{model}: a data set gives no initial states: leave initial_state at zero")
    return {"width": 32, "hidden": 64, **settings, "vocabulary": classes}


def drawn(rng: np.random.Generator) -> tuple[dict[str, Any], int]:
    """Draw the settings that all of them have, and a number of examples."""
    vocabulary, width, hidden, length, n = distinct_sizes(rng, 5, LARGEST)
    choices = {
        "inputs": str(rng.choice(get_args(Inputs))),
        "initial_state": str(rng.choice(get_args(InitialState))),
        "reduction": str(rng.choice(get_args(positions.Reduction))),
    }
    return {"vocabulary": vocabulary, "width": width, "hidden": hidden, "length": length, **choices}, n


def input_size(spec: Recurrent) -> int:
    """Return the number of inputs of the cell."""
    return spec.width if spec.inputs == "embedding" else spec.vocabulary


def shapes(spec: Recurrent, cell: Shapes) -> Shapes:
    """Table (vocabulary, width), unless tokens enter as one-hot rows; the cell's; W_y (hidden, vocabulary), b_y."""
    table = embedding.shapes(spec.vocabulary, spec.width) if spec.inputs == "embedding" else {}
    return {**table, **cell, "W_y": (spec.hidden, spec.vocabulary), "b_y": (spec.vocabulary,)}


def init(spec: Recurrent, param_shapes: Shapes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the table from N(0, 1), all else from U(−1/√hidden, 1/√hidden), as PyTorch does."""
    bound = spec.hidden**-0.5
    return {
        name: rng.normal(size=shape) if name == "table" else rng.uniform(-bound, bound, shape)
        for name, shape in param_shapes.items()
    }


def example_batch(spec: Recurrent, rng: np.random.Generator, n: int, *states: str) -> Batch:
    """Draw unbalanced tokens x and y (n, length); where states are given, those of these names (n, hidden)."""
    x, y = (token_inputs(rng, n, spec.length, spec.vocabulary) for _ in range(2))
    return Batch(x, y, {name: rng.normal(size=(n, spec.hidden)) for name in given_states(spec, *states)})


def given_states(spec: Recurrent, *states: str) -> tuple[str, ...]:
    """Return the names of the extras that hold the states before the first step."""
    return states if spec.initial_state == "given" else ()


def flops(spec: Recurrent, n: int, cell: int) -> int:
    """Count what is around the cell, and the cell: every position has its embedding, head and cross-entropy."""
    head = affine.flops(n * spec.length, spec.hidden, spec.vocabulary, of_input=True)
    return (
        cell
        + head
        + cross_entropy.flops(n * spec.length, spec.vocabulary)
        + embedding.flops(n * spec.length, spec.width)
    )


def lines(spec: Recurrent, cell: Callable[[str, GradientRule], tuple[Line, ...]], z: str = "Z_t") -> tuple[Line, ...]:
    """Return table and inputs, the cell's own lines, then head, logits and loss; ``z`` is what reads an input."""
    embedded = (
        line("table", "E", embedding.of_table("x", "X")),
        line(
            "inputs", "X", GradientRule(rf"{d(z)} W_x^\top", affine.of_input("W_x", z).why), embedding.value("E", "x")
        ),
    )
    logits = r"\hat Y"
    return (
        *(embedded if spec.inputs == "embedding" else ()),
        *cell("X", affine.of_input("W_y", logits)),
        line("W_y", "W_y", affine.of_weights("S", logits)),
        line("b_y", "b_y", affine.of_bias(logits)),
        line("logits", logits, positions.of_logits(spec.reduction, logits), affine.value("S", "W_y", "b_y")),
        line("loss", "L", SEED, positions.value(spec.reduction, logits)),
    )
