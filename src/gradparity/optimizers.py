"""The optimisers: one frozen spec per rule, with its hyperparameters, their ranges and its formula, in no framework.

A runtime has each rule on its own arrays: written out for NumPy, from optax for JAX, from ``torch.optim`` for PyTorch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from gradparity.errors import UsageError, unknown
from gradparity.runtime import UpdateRule

_FRACTION: tuple[str, Callable[[float], bool]] = ("at least 0 and below 1", lambda value: 0 <= value < 1)
RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "lr": ("above 0", lambda value: value > 0),
    "momentum": _FRACTION,
    "beta1": _FRACTION,
    "beta2": _FRACTION,
    "eps": ("at least 0", lambda value: value >= 0),
}
"""Hyperparameter -> what it must be, besides finite. A name means the same in every rule."""


def _require_in_range(rule: Any) -> None:
    for field in fields(rule):
        value, (range_, holds) = getattr(rule, field.name), RANGES[field.name]
        if not (math.isfinite(value) and holds(value)):
            raise UsageError(f"optimizer '{rule.name}': {field.name} must be finite and {range_}, got {value!r}")


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent. Raises UsageError for a hyperparameter out of range, as every rule does."""

    lr: float
    name: ClassVar[str] = "sgd"
    formula: ClassVar[str] = r"p \leftarrow p - \eta\, g"
    source: ClassVar[str] = "Robbins & Monro 1951, equation 6"

    def __post_init__(self) -> None:
        _require_in_range(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """1: the step is proportional to lr."""
        return np.ones(step.shape)


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with a velocity; the learning rate stays outside it, as PyTorch and optax have it."""

    lr: float
    momentum: float = 0.9
    name: ClassVar[str] = "momentum"
    formula: ClassVar[str] = r"v \leftarrow \mu v + g, \quad p \leftarrow p - \eta\, v"
    source: ClassVar[str] = "Sutskever et al. 2013, equations 1 and 2, with the learning rate outside v"

    def __post_init__(self) -> None:
        _require_in_range(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """1: the step is proportional to lr."""
        return np.ones(step.shape)


@dataclass(frozen=True)
class Adam:
    """Gradient descent by a mean of gradients over the root of a mean of their squares, each entry for itself."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    name: ClassVar[str] = "adam"
    formula: ClassVar[str] = (
        r"m \leftarrow \beta_1 m + (1-\beta_1) g, \quad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \quad "
        r"p \leftarrow p - \eta \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}"
    )
    source: ClassVar[str] = "Kingma & Ba 2015, arXiv:1412.6980, algorithm 1: eps outside the square root"

    def __post_init__(self) -> None:
        _require_in_range(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """How much the rounding of β₂ is magnified: 500 times in the first step with β₂ = 0.999.

        Adam divides by √(1 − β₂ᵗ), and β₂ is close to 1: the change of step t, relative to the step, is
        t β₂ᵗ⁻¹ / 2(1 − β₂ᵗ) times that of β₂.
        """
        return np.asarray(step * self.beta2 ** (step - 1) / (2 * (1 - self.beta2**step)))


RULES: dict[str, Callable[..., UpdateRule]] = {rule.name: rule for rule in (SGD, Momentum, Adam)}


def named(name: str, **hyperparameters: float) -> UpdateRule:
    """Return a rule by its name.

    Raises UsageError for an unknown name or hyperparameter, without lr, and for a hyperparameter out of range.
    """
    if name not in RULES:
        raise unknown("optimizer", name, RULES)
    known = [field.name for field in fields(RULES[name])]  # type: ignore[arg-type]
    for given in hyperparameters:
        if given not in known:
            raise unknown(f"hyperparameter of optimizer '{name}'", given, known)
    if "lr" not in hyperparameters:
        raise UsageError(f"optimizer '{name}' needs a learning rate, got none: pass lr, such as lr=0.1")
    return RULES[name](**hyperparameters)
