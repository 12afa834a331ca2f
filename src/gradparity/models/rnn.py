"""The plain recurrent network that predicts each next character.

Source: I. Goodfellow, Y. Bengio, A. Courville, Deep Learning (2016), section 10.2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.operations import positions, recurrent, rnn
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class RNN:
    """hₜ = tanh(xₜWₓ + hₜ₋₁Wₕ + b), logitsₜ = hₜW_y + b_y; xₜ is the embedding of token t, or its one-hot row.

    Conventions: one bias b, or two, b_x and b_h, as PyTorch keeps. The state before the first token is zero, or given
    as the extra "h0". The reduction over positions and sequences is "positions" (the mean over both), "sequences"
    (the sum over positions, the mean over sequences) or "sum".
    """

    vocabulary: int = 7
    width: int = 4
    hidden: int = 5
    length: int = 3
    inputs: recurrent.Inputs = "embedding"
    initial_state: recurrent.InitialState = "zero"
    biases: rnn.Biases = "one"
    reduction: positions.Reduction = "positions"

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, a vocabulary of one token, and unknown choices."""
        recurrent.require("rnn", self)

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "RNN":  # noqa: ARG003
        """Fit vocabulary and length to a text."""
        return cls(length=features, **recurrent.fitted("rnn", classes, settings))

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "rnn"

    @property
    def real_targets(self) -> bool:
        """False: y is tokens."""
        return False

    @property
    def next_tokens(self) -> bool:
        """True: y is the tokens that follow those of x."""
        return True

    @property
    def prediction_extras(self) -> tuple[str, ...]:
        """The state before the first step, where it is given."""
        return recurrent.given_states(self, "h0")

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Table, W_x, W_h, b (or b_x and b_h), W_y, b_y; no table where tokens enter as one-hot rows."""
        return recurrent.shapes(self, rnn.shapes(recurrent.input_size(self), self.hidden, self.biases))

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Table N(0, 1), all else U(−1/√hidden, 1/√hidden)."""
        return recurrent.init(self, self.param_shapes, rng)

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Unbalanced tokens x and y (n, length)."""
        return recurrent.example_batch(self, rng, n, "h0")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["RNN", int]:
        """Draw sizes and conventions; return the spec and a number of examples."""
        settings, n = recurrent.drawn(rng)
        return cls(**settings, biases="one" if rng.random() < 0.5 else "two"), n

    @classmethod
    def variants(cls) -> dict[str, "RNN"]:
        """Return the settings that between them have every line, by what they are called."""
        return {"": cls(), "one-hot": cls(inputs="one_hot", initial_state="given", reduction="sequences", biases="two")}

    def flops(self, n: int) -> int:
        """Embedding, cell, head and cross-entropy at every position."""
        return recurrent.flops(self, n, rnn.flops(n, self.length, recurrent.input_size(self), self.hidden))

    @property
    def derivation(self) -> tuple[Line, ...]:
        """Table and inputs; z and h of every time; states, logits and loss."""
        return recurrent.lines(self, lambda x, of_states: rnn.lines(x, of_states, self.biases))
