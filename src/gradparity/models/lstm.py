"""The long short-term memory that predicts each next character.

Sources: F. Gers, J. Schmidhuber, F. Cummins, Learning to Forget (2000); K. Greff et al. (2015), arXiv:1503.04069.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.inputs import require_finite
from gradparity.operations import lstm, positions, recurrent, rnn
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class LSTM:
    """Gates (i, f, g, o) = (σ, σ, tanh, σ)(xₜWₓ + hₜ₋₁Wₕ + b); cellₜ = f·cellₜ₋₁ + i·g, hₜ = o·tanh(cellₜ).

    logitsₜ = hₜW_y + b_y; xₜ is the embedding of token t, or its one-hot row. Conventions: one bias b, or the two that
    PyTorch keeps, b_x and b_h; ``gates`` is the order of the gates' columns in Wₓ, Wₕ and b, "ifgo" as in PyTorch.
    State and cell before the first token are zero, or given as the extras "h0" and "cell0". The reduction over
    positions and sequences is "positions" (the mean over both), "sequences" (the sum over positions, the mean over
    sequences) or "sum".
    """

    vocabulary: int = 7
    width: int = 4
    hidden: int = 5
    length: int = 3
    gates: str = "ifgo"
    inputs: recurrent.Inputs = "embedding"
    initial_state: recurrent.InitialState = "zero"
    biases: rnn.Biases = "one"
    reduction: positions.Reduction = "positions"
    init_forget_bias: float = 1.0
    """Of the forget gate, so that a cell is kept at first (Jozefowicz, Zaremba, Sutskever 2015, section 2.2)."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, a vocabulary of one token, and unknown choices."""
        recurrent.require("lstm", self)
        require_finite("lstm", init_forget_bias=self.init_forget_bias)
        if self.gates not in lstm.ORDERS:
            raise UsageError(
                f"lstm: gates must be the letters i, f, g and o in the order of the columns, got '{self.gates}'"
            )

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "LSTM":  # noqa: ARG003
        """Fit vocabulary and length to a text."""
        return cls(length=features, **recurrent.fitted("lstm", classes, settings))

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "lstm"

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
        """State and cell before the first step, where they are given."""
        return recurrent.given_states(self, "h0", "cell0")

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Table, W_x, W_h, b (or b_x and b_h), W_y, b_y; no table where tokens enter as one-hot rows."""
        return recurrent.shapes(self, lstm.shapes(recurrent.input_size(self), self.hidden, self.biases))

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Table N(0, 1), all else U(−1/√hidden, 1/√hidden), but the forget gate's bias."""
        params = recurrent.init(self, self.param_shapes, rng)
        forget = lstm.columns(self.gates, self.hidden)["f"]
        first, *other = rnn.BIASES[self.biases]
        params[first][forget] = self.init_forget_bias
        for name in other:
            params[name][forget] = 0.0
        return params

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Unbalanced tokens x and y (n, length)."""
        return recurrent.example_batch(self, rng, n, "h0", "cell0")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["LSTM", int]:
        """Draw sizes and conventions; return the spec and a number of examples."""
        settings, n = recurrent.drawn(rng)
        return cls(**settings, gates=str(rng.choice(lstm.ORDERS)), biases="one" if rng.random() < 0.5 else "two"), n

    @classmethod
    def variants(cls) -> dict[str, "LSTM"]:
        """Return the settings that between them have every line, by what they are called."""
        other = cls(gates="igfo", inputs="one_hot", initial_state="given", reduction="sequences", biases="two")
        return {"": cls(), "one-hot": other}

    def flops(self, n: int) -> int:
        """Embedding, cell, head and cross-entropy at every position."""
        return recurrent.flops(self, n, lstm.flops(n, self.length, recurrent.input_size(self), self.hidden))

    @property
    def derivation(self) -> tuple[Line, ...]:
        """Table and inputs; gates, cell and h of every time; states, logits and loss."""
        return recurrent.lines(self, lambda x, of_states: lstm.lines(x, of_states, self.gates, self.biases))
