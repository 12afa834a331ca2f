"""Learning rates that change during training: each says in a formula what the rate of step t is, the first being 0.

A runtime evaluates them: written out for NumPy and, as its users do, for PyTorch; from optax for JAX.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from gradparity.errors import UsageError


@dataclass(frozen=True)
class StepDecay:
    """The rate is multiplied by ``factor`` after every ``every`` steps. Raises UsageError for what is out of range."""

    initial: float
    every: int
    factor: float = 0.1
    name: ClassVar[str] = "step"
    formula: ClassVar[str] = r"\eta_t = \eta_0\, f^{\lfloor t / k \rfloor}"

    def __post_init__(self) -> None:
        _require(self.name, "lr", self.initial, "finite and above 0", math.isfinite(self.initial) and self.initial > 0)
        _require(self.name, "every", self.every, "a whole number of steps of at least 1", _whole(self.every, 1))
        _require(self.name, "factor", self.factor, "above 0 and at most 1", 0 < self.factor <= 1)


@dataclass(frozen=True)
class Cosine:
    """The rate rises in ``warmup`` equal parts to ``peak``, then falls along half a cosine to ``final`` times that.

    The first step already has a rate, peak / warmup, and the last of the warm-up has the peak. After ``steps`` steps
    the rate stays where it is. Raises UsageError for what is out of range.
    """

    peak: float
    steps: int
    warmup: int = 0
    final: float = 0.0
    name: ClassVar[str] = "cosine"
    formula: ClassVar[str] = (
        r"\eta_t = \hat\eta \frac{t + 1}{w} \text{ for } t < w, \quad "
        r"\eta_t = \hat\eta \left( f + (1 - f) \frac{1 + \cos(\pi \frac{t - w}{T - w})}{2} \right) \text{ after}"
    )
    source: ClassVar[str] = "Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts"

    def __post_init__(self) -> None:
        _require(self.name, "lr", self.peak, "finite and above 0", math.isfinite(self.peak) and self.peak > 0)
        _require(self.name, "steps", self.steps, "a whole number of at least 1", _whole(self.steps, 1))
        below = f"a whole number from 0 to {self.steps - 1}, one below the steps"
        _require(self.name, "warmup", self.warmup, below, _whole(self.warmup, 0) and self.warmup < self.steps)
        _require(self.name, "final", self.final, "from 0 to 1", 0 <= self.final <= 1)


Schedule: TypeAlias = StepDecay | Cosine
LearningRate: TypeAlias = float | Schedule
SCHEDULES = (StepDecay, Cosine)


def _whole(value: float, least: int) -> bool:
    return isinstance(value, int) and value >= least


def _require(schedule: str, name: str, value: float, rule: str, holds: bool) -> None:
    if not holds:
        raise UsageError(f"schedule '{schedule}': {name} must be {rule}, got {value!r}")
