"""Learning rates that change during training: each says in a formula what the rate of step t is, the first being 0.

A runtime evaluates them: written out for NumPy and, as its users do, for PyTorch; from optax for JAX.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

from gradparity.errors import UsageError, quoted, unknown


@dataclass(frozen=True)
class StepDecay:
    """The rate is multiplied by ``factor`` after every ``every`` steps. Raises UsageError for what is out of range."""

    peak: float
    every: int
    factor: float = 0.1
    name: ClassVar[str] = "step"
    formula: ClassVar[str] = r"\eta_t = \eta_0\, f^{\lfloor t / k \rfloor}"

    def __post_init__(self) -> None:
        _require(self.name, "lr", self.peak, "finite and above 0", math.isfinite(self.peak) and self.peak > 0)
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


LearningRate: TypeAlias = float | StepDecay | Cosine
SCHEDULES = (StepDecay, Cosine)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and value >= least


def _require(schedule: str, name: str, value: Any, rule: str, holds: bool) -> None:
    if not holds:
        raise UsageError(f"schedule '{schedule}': {name} must be {rule}, got {quoted(value)}")


def highest(lr: LearningRate) -> float:
    """Return the rate that stays, or a schedule's highest."""
    return lr.peak if isinstance(lr, SCHEDULES) else lr


def scheduled(schedule: str, lr: float, steps: int) -> LearningRate:
    """Read "constant", "step,every=100,factor=0.5" or "cosine,warmup=100,final=0.1", with ``lr`` for the highest rate.

    ``steps`` is how many training takes. Raises UsageError for anything else, and for what is out of range.
    """
    name, settings = settings_of("--schedule", schedule)
    known: dict[str, Any] = {"constant": None, **{each.name: each for each in SCHEDULES}}
    if name not in known:
        raise unknown("schedule", name, known)
    own = {"peak": lr, "steps": steps} if name == "cosine" else {"peak": lr}
    settable = [] if name == "constant" else [field.name for field in fields(known[name]) if field.name not in own]
    for given in settings:
        if given not in settable:
            raise unknown(f"setting of schedule '{name}'", given, settable)
        if given in _COUNTS and settings[given] == int(settings[given]):
            settings[given] = int(settings[given])
    if name == "step" and "every" not in settings:
        raise UsageError("schedule 'step' needs a number of steps, got none: write step,every=100")
    rate: LearningRate = lr if name == "constant" else known[name](**own, **settings)
    return rate


def settings_of(option: str, text: str) -> tuple[str, dict[str, Any]]:
    """Read "name,setting=number,…". Raises UsageError where a setting is neither a number nor true or false."""
    if not isinstance(text, str):
        raise UsageError(f"{option} takes a name, got {quoted(text)}: such as sgd")
    name, *settings = text.split(",")
    found: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        try:
            found[key] = _SWITCHES[value] if value in _SWITCHES else float(value)
        except ValueError:
            raise UsageError(
                f"{option} takes a name, then settings such as momentum=0.9 after commas, got '{setting}' in '{text}'"
            ) from None
    return name, found


_COUNTS = ("every", "warmup")
_SWITCHES = {"true": True, "false": False}
