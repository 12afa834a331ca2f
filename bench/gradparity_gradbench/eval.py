"""What an evaluation is: how its input is read, and each of its functions in every way of getting it.

A function with one number as its result is a model file (docs/your-own-model.md): ``forward(p, batch, c)`` and
``backward(p, batch, c, d)`` in named lines, which ``gradparity.check`` compares line by line. Both are in array-API
style, so the same lines are the ways of ``numpy``, ``jax-manual`` and ``torch-manual``; and what ``jax`` and ``torch``
differentiate, where an evaluation has no idiomatic form for them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity.recording import Gradients

Loss: TypeAlias = Callable[[Params, Batch], Array]
Way: TypeAlias = Callable[[Params, Batch], Any]
"""From arrays of a library to the result: an array, or a tuple or dict of them."""
Ways: TypeAlias = Mapping[str, Way]
"""Name of a backend -> its way."""

HAND = ("numpy", "jax-manual", "torch-manual")
MACHINES = ("jax", "torch")
BACKENDS = (HAND[0], *MACHINES, *HAND[1:])
NOTHING = np.zeros(0)
"""In the place of an input that an evaluation does not have."""


@dataclass(frozen=True)
class Function:
    """One function of an evaluation. Its ways are given NumPy's answer, and so is ``answer``."""

    ways: Ways
    answer: Callable[[Any], Any]
    """From the result, as NumPy arrays, to what JSON has."""
    naive: Ways = field(default_factory=dict)
    """The same by its definition, where the ways take a structural shortcut."""


@dataclass(frozen=True)
class Eval:
    """One of the twelve evaluations: a module of GradBench's protocol."""

    read: Callable[[Any], tuple[dict[str, np.ndarray], Batch]]
    """From a message's input to what is differentiated and what is given."""
    functions: Mapping[str, Function]
    shortcut: str = ""
    """What the ways do not compute that the definition does; empty where they compute it all."""


def value_by_hand(forward: Callable[[Params, Batch, Any], None]) -> Loss:
    """Return the loss of a hand-written forward pass."""

    def value(p: Params, batch: Batch) -> Array:
        c: dict[Any, Array] = {}
        forward(p, batch, c)
        return c["loss"]

    return value


def gradient_by_hand(hand: HandDerivation) -> Way:
    """Return the gradient of every parameter, by name."""

    def gradient(p: Params, batch: Batch) -> dict[str, Array]:
        c: dict[Any, Array] = {}
        d = Gradients(loss=1.0)
        hand.forward(p, batch, c)
        hand.backward(p, batch, c, d)
        return {name: d[name] for name in p}

    return gradient


def gradient_by_jax(loss: Loss) -> Way:
    """Return the gradient that JAX derives."""

    def gradient(p: Params, batch: Batch) -> Any:
        import jax

        return jax.grad(loss)(dict(p), batch)

    return gradient


def gradient_by_torch(loss: Loss) -> Way:
    """Return the gradient that PyTorch derives."""

    def gradient(p: Params, batch: Batch) -> Any:
        import torch

        with torch.enable_grad():
            own = {name: array.detach().requires_grad_() for name, array in p.items()}
            found = torch.autograd.grad(loss(own, batch), list(own.values()))
        return dict(zip(own, found, strict=True))

    return gradient


def by(names: Iterable[str], way: Way) -> dict[str, Way]:
    """Return the same way for several backends."""
    return dict.fromkeys(names, way)


def values(hand: HandDerivation, *, on_jax: Loss | None = None, on_torch: Loss | None = None) -> dict[str, Way]:
    """Return every way to the loss itself."""
    own = value_by_hand(hand.forward)
    return by(HAND, own) | {"jax": on_jax or own, "torch": on_torch or own}


def gradients(hand: HandDerivation, *, on_jax: Loss | None = None, on_torch: Loss | None = None) -> dict[str, Way]:
    """Return every way to the gradient. Machines differentiate their own form, or else the hand-written forward."""
    own = value_by_hand(hand.forward)
    return by(HAND, gradient_by_hand(hand)) | {
        "jax": gradient_by_jax(on_jax or own),
        "torch": gradient_by_torch(on_torch or own),
    }


def flat(name: str) -> Callable[[Mapping[str, np.ndarray]], list[float]]:
    """Return what answers with one gradient, its numbers in a row."""

    def answer(gradients: Mapping[str, np.ndarray]) -> list[float]:
        numbers: list[float] = gradients[name].reshape(-1).tolist()
        return numbers

    return answer
