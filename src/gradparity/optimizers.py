"""The optimisers: one frozen spec per rule, with its hyperparameters, their ranges and its formula, in no framework.

A runtime has each rule on its own arrays: written out for NumPy, from optax for JAX, from ``torch.optim`` for PyTorch.
Where the two libraries differ, the formula here says which is meant, and each is set up to mean it.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from gradparity.errors import UsageError, quoted, unknown
from gradparity.runtime import UpdateRule
from gradparity.schedules import SCHEDULES, LearningRate, settings_of

Range = tuple[str, Callable[[Any], bool]]


def _is_number(value: Any) -> bool:
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return real and abs(value) <= sys.float_info.max


def _finite(range_: str, holds: Callable[[float], bool]) -> Range:
    return f"finite and {range_}", lambda value: _is_number(value) and holds(value)


_FRACTION = _finite("at least 0 and below 1", lambda value: 0 <= value < 1)
_NOT_NEGATIVE = _finite("at least 0", lambda value: value >= 0)
_ABOVE_ZERO: Range = ("above 0", lambda value: isinstance(value, int | float) and value > 0)
_SWITCH: Range = ("true or false", lambda value: isinstance(value, bool))
RANGES: dict[str, Range] = {
    "lr": _finite("above 0", lambda value: isinstance(value, int | float) and value > 0),
    "momentum": _FRACTION,
    "beta1": _FRACTION,
    "beta2": _FRACTION,
    "decay": _FRACTION,
    "eps": _NOT_NEGATIVE,
    "weight_decay": _NOT_NEGATIVE,
    "nesterov": _SWITCH,
    "lr_in_velocity": _SWITCH,
    "initial": _NOT_NEGATIVE,
    "eps_inside": _SWITCH,
    "eps_hat": _SWITCH,
    "bias_correction": _SWITCH,
    "clip_value": _ABOVE_ZERO,
    "clip_norm": _ABOVE_ZERO,
}
"""Hyperparameter -> what it must be. A name means the same in every rule."""


def _require_in_range(rule: Any) -> None:
    for field in fields(rule):
        value, (range_, holds) = getattr(rule, field.name), RANGES[field.name]
        if not isinstance(value, SCHEDULES) and not holds(value):
            raise UsageError(f"optimizer '{rule.name}': {field.name} must be {range_}, got {quoted(value)}")


@dataclass(frozen=True)
class SGD:
    """Gradient descent, plain or with a velocity. Raises UsageError for what is out of range, as every rule does.

    The learning rate stands outside the velocity, as PyTorch and optax have it, or with ``lr_in_velocity`` inside, as
    in Sutskever et al. and in Keras: v ← μv + ηg, p ← p − v. The two part where the rate changes. ``nesterov`` steps
    by μv + g instead of v. As in every rule but AdamW, ``weight_decay`` λ adds λp to the gradient, which is the penalty
    λ‖p‖²/2. As in every rule, ``clip_value`` first brings each entry of a gradient between −clip_value and clip_value,
    and ``clip_norm`` scales all gradients down together where their common norm is larger (Pascanu et al. 2013).
    """

    lr: LearningRate
    momentum: float = 0.0
    nesterov: bool = False
    lr_in_velocity: bool = False
    weight_decay: float = 0.0
    clip_value: float = math.inf
    clip_norm: float = math.inf
    name: ClassVar[str] = "sgd"
    formula: ClassVar[str] = r"v \leftarrow \mu v + g + \lambda p, \quad p \leftarrow p - \eta\, v"
    source: ClassVar[str] = "Robbins & Monro 1951, equation 6; with a velocity, Sutskever et al. 2013, section 2"

    def __post_init__(self) -> None:
        _require_in_range(self)

    @property
    def memory(self) -> tuple[str, ...]:
        """The velocity, where there is a momentum."""
        return ("velocity",) if self.momentum else ()

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """1: the step is proportional to lr."""
        return np.ones(step.shape)


@dataclass(frozen=True)
class Adagrad:
    """Gradient descent by each entry's gradient over the root of the sum of its squares so far, and of ``initial``.

    ``initial`` is 0.1 in Keras and in optax. An ε inside of the root is ``initial`` = ε, with ``eps`` 0.
    """

    lr: LearningRate
    eps: float = 1e-10
    initial: float = 0.0
    weight_decay: float = 0.0
    clip_value: float = math.inf
    clip_norm: float = math.inf
    name: ClassVar[str] = "adagrad"
    formula: ClassVar[str] = r"s \leftarrow s + g^2, \quad p \leftarrow p - \eta \frac{g}{\sqrt{s} + \epsilon}"
    source: ClassVar[str] = "Duchi et al. 2011, figure 1, diagonal: eps outside the square root"
    memory: ClassVar[tuple[str, ...]] = ("squares",)

    def __post_init__(self) -> None:
        _require_in_range(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """1: the step is proportional to lr."""
        return np.ones(step.shape)


@dataclass(frozen=True)
class RMSprop:
    """Gradient descent by each entry's gradient over the root of a running mean of its squares.

    With ``eps_inside`` the root is √(v + ε), as in TensorFlow 1 and by default in optax.
    """

    lr: LearningRate
    decay: float = 0.9
    eps: float = 1e-8
    eps_inside: bool = False
    weight_decay: float = 0.0
    clip_value: float = math.inf
    clip_norm: float = math.inf
    name: ClassVar[str] = "rmsprop"
    formula: ClassVar[str] = (
        r"v \leftarrow \rho v + (1-\rho) g^2, \quad p \leftarrow p - \eta \frac{g}{\sqrt{v} + \epsilon}"
    )
    source: ClassVar[str] = "Tieleman & Hinton 2012, lecture 6e: eps outside the square root, no bias correction"
    memory: ClassVar[tuple[str, ...]] = ("v",)

    def __post_init__(self) -> None:
        _require_in_range(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """How much the rounding of 1 − ρ is magnified: v is proportional to it, and the step to one over v's root."""
        return np.full(step.shape, 1 / (2 * (1 - self.decay)))


def _of_beta2(rule: "Adam | AdamW", step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """How much the rounding of β₂ is magnified: 500 times in the first step with β₂ = 0.999.

    Adam divides by √(1 − β₂ᵗ), and β₂ is close to 1: the change of step t, relative to the step, is
    t β₂ᵗ⁻¹ / 2(1 − β₂ᵗ) times that of β₂. Without the correction v is proportional to 1 − β₂, as in RMSprop.
    """
    if not rule.bias_correction:
        return np.full(step.shape, 1 / (2 * (1 - rule.beta2)))
    return np.asarray(step * rule.beta2 ** (step - 1) / (2 * (1 - rule.beta2**step)))


def _require_one_place(rule: "Adam | AdamW") -> None:
    if rule.eps_inside and rule.eps_hat:
        raise UsageError(
            f"optimizer '{rule.name}': eps stands in one place, got eps_inside and eps_hat: leave one of them out"
        )


@dataclass(frozen=True)
class Adam:
    """Gradient descent by a mean of gradients over the root of a mean of their squares, each entry for itself.

    With ``eps_hat`` ε stands beside √v before that is corrected, m̂ √(1 − β₂ᵗ) / (√v + ε), as at the end of section 2 of
    the paper, in TensorFlow and in Keras; with ``eps_inside`` the root is √(v̂ + ε), optax's ``eps_root``. Both together
    raise UsageError. Without ``bias_correction``, as in BERT, the step is m / (√v + ε).
    """

    lr: LearningRate
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_inside: bool = False
    eps_hat: bool = False
    bias_correction: bool = True
    weight_decay: float = 0.0
    clip_value: float = math.inf
    clip_norm: float = math.inf
    name: ClassVar[str] = "adam"
    formula: ClassVar[str] = (
        r"m \leftarrow \beta_1 m + (1-\beta_1) g, \quad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \quad "
        r"p \leftarrow p - \eta \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}"
    )
    source: ClassVar[str] = "Kingma & Ba 2015, arXiv:1412.6980, algorithm 1: eps outside the square root"
    memory: ClassVar[tuple[str, ...]] = ("m", "v")

    def __post_init__(self) -> None:
        _require_in_range(self)
        _require_one_place(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """That of β₂."""
        return _of_beta2(self, step)


@dataclass(frozen=True)
class AdamW:
    """Adam, and each parameter shrinks by lr·weight_decay of itself besides, untouched by the division."""

    lr: LearningRate
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_inside: bool = False
    eps_hat: bool = False
    bias_correction: bool = True
    weight_decay: float = 0.01
    clip_value: float = math.inf
    clip_norm: float = math.inf
    name: ClassVar[str] = "adamw"
    formula: ClassVar[str] = (
        r"m, v \text{ as in Adam}, \quad p \leftarrow p - \eta \left( \frac{m / (1-\beta_1^t)}"
        r"{\sqrt{v / (1-\beta_2^t)} + \epsilon} + \lambda p \right)"
    )
    source: ClassVar[str] = "Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2; the decay is scaled by lr"
    memory: ClassVar[tuple[str, ...]] = ("m", "v")

    def __post_init__(self) -> None:
        _require_in_range(self)
        _require_one_place(self)

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """That of β₂."""
        return _of_beta2(self, step)


RULES: dict[str, Callable[..., UpdateRule]] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def named(name: str, **hyperparameters: Any) -> UpdateRule:
    """Return a rule by its name; "momentum" is sgd with a momentum of 0.9.

    Raises UsageError for an unknown name or hyperparameter, without lr, and for a hyperparameter out of range.
    """
    if not isinstance(name, str) or name not in RULES:
        raise unknown("optimizer", name, RULES)
    _require_known(name, hyperparameters)
    if "lr" not in hyperparameters:
        raise UsageError(f"optimizer '{name}' needs a learning rate, got none: pass lr, such as lr=0.1")
    return RULES[name](**hyperparameters)


def _require_known(name: str, given: Iterable[str]) -> None:
    known = list(inspect.signature(RULES[name]).parameters)
    for each in given:
        if each not in known:
            raise unknown(f"hyperparameter of optimizer '{name}'", each, known)


def worded(optimizer: str) -> tuple[str, dict[str, Any]]:
    """Read "adamw,weight_decay=0.1,clip_norm=1": a rule's name, and hyperparameters for ``Backend.optimizer``.

    Raises UsageError for anything else, and for a learning rate among them: that has a place of its own.
    """
    name, settings = settings_of("--optimizer", optimizer)
    if "lr" in settings:
        raise UsageError(f"--optimizer {name}: the learning rate is --lr, got '{optimizer}'")
    if name in RULES:
        _require_known(name, settings)
    return name, settings
