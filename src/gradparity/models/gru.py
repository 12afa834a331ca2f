"""The gated recurrent unit that predicts each next character.

Sources: K. Cho et al. (2014), arXiv:1406.1078, equations 5 to 8; J. Chung et al. (2014), arXiv:1412.3555, section 3.2.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.operations import gru, positions, recurrent
from gradparity.protocol import Batch, Line


@dataclass(frozen=True)
class GRU:
    """Gates r and u = σ(xₜWₓ + b_x + hₜ₋₁Wₕ + b_h), candidate n, and hₜ = u·hₜ₋₁ + (1 − u)·n.

    logitsₜ = hₜW_y + b_y; xₜ is the embedding of token t, or its one-hot row. Conventions: with ``reset_after``, as in
    PyTorch and cuDNN, n = tanh(xₜWₓ + b_x + r·(hₜ₋₁Wₕ + b_h)); without, n = tanh(xₜWₓ + b_x + (r·hₜ₋₁)W_n), and b_x is
    the only bias. Without ``update_keeps`` u and 1 − u change places. ``gates`` is the order of the columns: "run" is
    PyTorch's. The state before the first token is zero, or given as the extra "h0". The reduction over positions and
    sequences is "positions" (the mean over both), "sequences" (the sum over positions, the mean over sequences) or
    "sum".
    """

    vocabulary: int = 7
    width: int = 4
    hidden: int = 5
    length: int = 3
    gates: str = "run"
    reset_after: bool = True
    update_keeps: bool = True
    inputs: recurrent.Inputs = "embedding"
    initial_state: recurrent.InitialState = "zero"
    reduction: positions.Reduction = "positions"

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1, a vocabulary of one token, and unknown choices."""
        recurrent.require("gru", self)
        if self.gates not in gru.ORDERS:
            raise UsageError(
                f"gru: gates must be the letters r, u and n in the order of the columns, got '{self.gates}'"
            )

    @classmethod
    def for_data(cls, features: int, classes: int | None, outputs: int, **settings: Any) -> "GRU":  # noqa: ARG003
        """Fit vocabulary and length to a text."""
        return cls(length=features, **recurrent.fitted("gru", classes, settings))

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""
        return "gru"

    @property
    def real_targets(self) -> bool:
        """False: y is tokens."""
        return False

    @property
    def next_tokens(self) -> bool:
        """True: y is the tokens that follow those of x."""
        return True

    @property
    def convention(self) -> gru.GateConvention:
        """What the cell is told."""
        return gru.GateConvention(self.gates, self.reset_after, self.update_keeps)

    @property
    def prediction_extras(self) -> tuple[str, ...]:
        """The state before the first step, where it is given."""
        return recurrent.given_states(self, "h0")

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Table, W_x, b_x, W_h, b_h (or W_n), W_y, b_y; no table where tokens enter as one-hot rows."""
        return recurrent.shapes(self, gru.shapes(recurrent.input_size(self), self.hidden, self.convention))

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Table N(0, 1), all else U(−1/√hidden, 1/√hidden)."""
        return recurrent.init(self, self.param_shapes, rng)

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Unbalanced tokens x and y (n, length)."""
        return recurrent.example_batch(self, rng, n, "h0")

    @classmethod
    def draw(cls, rng: np.random.Generator) -> tuple["GRU", int]:
        """Draw sizes and conventions; return the spec and a number of examples."""
        settings, n = recurrent.drawn(rng)
        gates, (reset_after, update_keeps) = str(rng.choice(gru.ORDERS)), rng.random(2) < 0.5
        return cls(**settings, gates=gates, reset_after=bool(reset_after), update_keeps=bool(update_keeps)), n

    @classmethod
    def variants(cls) -> dict[str, "GRU"]:
        """Return the settings that between them have every line, by what they are called."""
        cho = cls(gates="urn", reset_after=False, inputs="one_hot", initial_state="given", reduction="sequences")
        return {"": cls(), "reset before": cho}

    def flops(self, n: int) -> int:
        """Embedding, cell, head and cross-entropy at every position."""
        return recurrent.flops(self, n, gru.flops(n, self.length, recurrent.input_size(self), self.hidden))

    @property
    def derivation(self) -> tuple[Line, ...]:
        """Table and inputs; gates, candidate and h of every time; states, logits and loss."""
        return recurrent.lines(self, lambda x, of_states: gru.lines(x, of_states, self.convention), "A_t")
