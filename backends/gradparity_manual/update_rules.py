"""Optimisers written out: what a step does with the gradients. Parameters and memory are updated in place.

Each rule is one function from (rule, p, g, memory of p, η, t) to what is taken from p; t counts steps from 1.
"""

from collections.abc import Callable
from math import cos, inf, pi
from typing import Any, TypeAlias

import numpy as np

from gradparity.errors import unknown
from gradparity.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from gradparity.runtime import Optimizer, UpdateRule
from gradparity.schedules import Cosine, LearningRate, StepDecay

Arrays: TypeAlias = dict[str, np.ndarray]


def sgd(rule: SGD, p: np.ndarray, g: np.ndarray, memory: Arrays, lr: float, t: int) -> np.ndarray:  # noqa: ARG001
    """v ← μv + g, and lr·v; with Nesterov lr·(g + μv); with the rate inside v ← μv + lr·g, and v."""
    g = with_penalty(rule, p, g)
    if not rule.momentum:
        return np.asarray(lr * g)
    inside, outside = (lr, 1.0) if rule.lr_in_velocity else (1.0, lr)
    share = g if inside == 1.0 else inside * g
    velocity = memory["velocity"]
    velocity *= rule.momentum
    velocity += share
    return np.asarray(outside * (share + rule.momentum * velocity if rule.nesterov else velocity))


def adagrad(rule: Adagrad, p: np.ndarray, g: np.ndarray, memory: Arrays, lr: float, t: int) -> np.ndarray:  # noqa: ARG001
    """s ← s + g², and lr·g / (√s + ε); an entry that never had a gradient stays where it is."""
    g = with_penalty(rule, p, g)
    squares = memory["squares"]
    squares += g * g
    size = np.sqrt(squares) + rule.eps
    return np.asarray(np.divide(lr * g, size, out=np.zeros_like(g), where=size > 0))


def rmsprop(rule: RMSprop, p: np.ndarray, g: np.ndarray, memory: Arrays, lr: float, t: int) -> np.ndarray:  # noqa: ARG001
    """v ← ρv + (1−ρ)g², and lr·g / (√v + ε), or lr·g / √(v + ε)."""
    g = with_penalty(rule, p, g)
    v = memory["v"]
    v *= rule.decay
    v += (1 - rule.decay) * g * g
    return np.asarray(lr * g / root(rule, v))


def adam(rule: Adam, p: np.ndarray, g: np.ndarray, memory: Arrays, lr: float, t: int) -> np.ndarray:
    """lr times what the moments of g + λp say."""
    return lr * by_moments(rule, with_penalty(rule, p, g), memory, t)


def adamw(rule: AdamW, p: np.ndarray, g: np.ndarray, memory: Arrays, lr: float, t: int) -> np.ndarray:
    """lr times what the moments of g say, and lr·λ·p."""
    return lr * by_moments(rule, g, memory, t) + lr * rule.weight_decay * p


def by_moments(rule: Adam | AdamW, g: np.ndarray, memory: Arrays, t: int) -> np.ndarray:
    """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², and m̂ / (√v̂ + ε), m̂ and v̂ corrected for their start at zero."""
    m, v, beta1, beta2 = memory["m"], memory["v"], rule.beta1, rule.beta2
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    if not rule.bias_correction:
        return np.asarray(m / root(rule, v))
    if rule.eps_hat:
        return np.asarray(m / (1 - beta1**t) * np.sqrt(1 - beta2**t) / root(rule, v))
    return np.asarray(m / (1 - beta1**t) / root(rule, v / (1 - beta2**t)))


def root(rule: RMSprop | Adam | AdamW, v: np.ndarray) -> np.ndarray:
    """√v + ε, or √(v + ε)."""
    return np.asarray(np.sqrt(v + rule.eps) if rule.eps_inside else np.sqrt(v) + rule.eps)


def with_penalty(rule: SGD | Adagrad | RMSprop | Adam, p: np.ndarray, g: np.ndarray) -> np.ndarray:
    """g + λp: the gradient of the loss and of the penalty λ‖p‖²/2."""
    return g + rule.weight_decay * p if rule.weight_decay else g


RULES: dict[str, Callable[..., np.ndarray]] = {
    "sgd": sgd,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
}


def learning_rate(lr: LearningRate, step: int) -> float:
    """Return the rate of a step; the first is 0."""
    if isinstance(lr, StepDecay):
        return float(lr.peak * lr.factor ** (step // lr.every))
    if isinstance(lr, Cosine):
        if step < lr.warmup:
            return lr.peak * (step + 1) / lr.warmup
        done = min((step - lr.warmup) / (lr.steps - lr.warmup), 1.0)
        return lr.peak * (lr.final + (1 - lr.final) * (1 + cos(pi * done)) / 2)
    return lr


def clipped(gradients: Arrays, value: float, norm: float) -> Arrays:
    """Cut each entry off at ±value; then g · min(1, norm / ‖g‖₂), over all together (Pascanu et al. 2013)."""
    if value < inf:
        gradients = {name: np.clip(g, -value, value) for name, g in gradients.items()}
    if norm == inf:
        return gradients
    own = np.sqrt(sum(np.vdot(g, g) for g in gradients.values()))
    return {name: g * (norm / own) for name, g in gradients.items()} if own > norm else gradients


def optimizer(rule: UpdateRule) -> Optimizer:
    """Return the update of a rule. Raises UsageError for one that is not written out here."""
    if rule.name not in RULES:
        raise unknown("optimizer of NumPy", rule.name, RULES)
    change: Any = RULES[rule.name]
    settings: Any = rule
    constant = settings.lr if isinstance(settings.lr, float | int) else None
    clips = settings.clip_value < inf or settings.clip_norm < inf
    remembered, nothing = rule.memory, dict[str, np.ndarray]()

    def start(params: Arrays) -> tuple[Arrays, Arrays]:
        begin = getattr(settings, "initial", 0.0)
        return params, {f"{kept}.{name}": np.full_like(p, begin) for kept in rule.memory for name, p in params.items()}

    def update(params: Arrays, gradients: Arrays, memory: Arrays, step: int) -> tuple[Arrays, Arrays]:
        lr = learning_rate(settings.lr, step) if constant is None else constant
        if clips:
            gradients = clipped(gradients, settings.clip_value, settings.clip_norm)
        for name, p in params.items():
            own = {kept: memory[f"{kept}.{name}"] for kept in remembered} if remembered else nothing
            p -= change(rule, p, gradients[name], own, lr, step + 1)
        return params, memory

    return Optimizer(start, update, remembered=lambda memory: memory, recall=lambda _, remembered, __: remembered)
