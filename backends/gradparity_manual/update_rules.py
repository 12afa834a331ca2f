"""Optimisers written out: what a step does with the gradients. Parameters and memory are updated in place."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gradparity.errors import unknown
from gradparity.optimizers import SGD, Adam, Momentum
from gradparity.runtime import Optimizer, UpdateRule

Arrays: TypeAlias = dict[str, np.ndarray]


def sgd(rule: SGD) -> Optimizer:
    """p ← p − lr·g."""

    def update(params: Arrays, gradients: Arrays, memory: Arrays, step: int) -> tuple[Arrays, Arrays]:  # noqa: ARG001
        for name, p in params.items():
            p -= rule.lr * gradients[name]
        return params, memory

    return Optimizer(lambda params: (params, {}), update)


def momentum(rule: Momentum) -> Optimizer:
    """v ← μv + g, p ← p − lr·v."""

    def start(params: Arrays) -> tuple[Arrays, Arrays]:
        return params, {name: np.zeros_like(p) for name, p in params.items()}

    def update(params: Arrays, gradients: Arrays, memory: Arrays, step: int) -> tuple[Arrays, Arrays]:  # noqa: ARG001
        for name, p in params.items():
            velocity = memory[name]
            velocity *= rule.momentum
            velocity += gradients[name]
            p -= rule.lr * velocity
        return params, memory

    return Optimizer(start, update)


def adam(rule: Adam) -> Optimizer:
    """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p − lr·m̂ / (√v̂ + ε), m̂ and v̂ corrected for their start at zero."""
    lr, beta1, beta2, eps = rule.lr, rule.beta1, rule.beta2, rule.eps

    def start(params: Arrays) -> tuple[Arrays, Arrays]:
        return params, {f"{moment}.{name}": np.zeros_like(p) for name, p in params.items() for moment in ("m", "v")}

    def update(params: Arrays, gradients: Arrays, memory: Arrays, step: int) -> tuple[Arrays, Arrays]:
        t = step + 1
        for name, p in params.items():
            g, m, v = gradients[name], memory[f"m.{name}"], memory[f"v.{name}"]
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            v += (1 - beta2) * g * g
            p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        return params, memory

    return Optimizer(start, update)


RULES: dict[str, Callable[[Any], Optimizer]] = {"sgd": sgd, "momentum": momentum, "adam": adam}


def optimizer(rule: UpdateRule) -> Optimizer:
    """Return the update of a rule. Raises UsageError for one that is not written out here."""
    if rule.name not in RULES:
        raise unknown("optimizer of NumPy", rule.name, RULES)
    return RULES[rule.name](rule)
