"""Optimisers written out: what a step does with the gradients. Parameters are updated in place."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from gradparity.errors import UsageError, unknown

Arrays: TypeAlias = dict[str, np.ndarray]


class Optimizer(NamedTuple):
    """``start`` makes the memory that ``update(params, gradients, memory)`` changes, with the parameters, in place."""

    start: Callable[[Arrays], Arrays]
    update: Callable[[Arrays, Arrays, Arrays], None]


def sgd(lr: float) -> Optimizer:
    """p ← p − lr·g."""

    def update(params: Arrays, gradients: Arrays, memory: Arrays) -> None:  # noqa: ARG001
        for name, p in params.items():
            p -= lr * gradients[name]

    return Optimizer(lambda _: {}, update)


def momentum(lr: float, momentum: float = 0.9) -> Optimizer:
    """v ← μv + g, p ← p − lr·v (Sutskever et al. 2013, with lr outside the velocity as PyTorch and optax have it)."""

    def start(params: Arrays) -> Arrays:
        return {name: np.zeros_like(p) for name, p in params.items()}

    def update(params: Arrays, gradients: Arrays, memory: Arrays) -> None:
        for name, p in params.items():
            velocity = memory[name]
            velocity *= momentum
            velocity += gradients[name]
            p -= lr * velocity

    return Optimizer(start, update)


def adam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², p ← p − lr·m̂ / (√v̂ + ε), m̂ and v̂ corrected for their start at zero.

    Source: Kingma and Ba (2015), arXiv:1412.6980, algorithm 1; ε is added outside the square root.
    """

    def start(params: Arrays) -> Arrays:
        zeros = {f"{moment}.{name}": np.zeros_like(p) for name, p in params.items() for moment in ("m", "v")}
        return {**zeros, "steps": np.zeros((), dtype=np.int64)}

    def update(params: Arrays, gradients: Arrays, memory: Arrays) -> None:
        memory["steps"] += 1
        t = int(memory["steps"])
        for name, p in params.items():
            g, m, v = gradients[name], memory[f"m.{name}"], memory[f"v.{name}"]
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            v += (1 - beta2) * g * g
            p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

    return Optimizer(start, update)


RULES: dict[str, Callable[..., Optimizer]] = {"sgd": sgd, "momentum": momentum, "adam": adam}


def optimizer(name: str, **hyperparameters: float) -> Optimizer:
    """Return an update rule by name. Raises UsageError for an unknown name or hyperparameter."""
    if name not in RULES:
        raise unknown("optimizer", name, RULES)
    try:
        return RULES[name](**hyperparameters)
    except TypeError as error:
        raise UsageError(f"optimizer '{name}': {str(error).partition(') ')[2] or error}") from None
