"""Random variants of every built-in model: sizes and settings for a sweep over many draws.

The sizes of one draw, its number of examples too, are all different: equal sizes would hide swapped axes.
"""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from gradparity.models.mlp import MLP, Activation
from gradparity.models.softmax_regression import SoftmaxRegression

SMALLEST, LARGEST = 2, 128
"""Bounds of a size; small ones are drawn as often as large ones, on a scale of factors of two."""
MOST_LAYERS = 4


def draw_softmax_regression(rng: np.random.Generator) -> tuple[SoftmaxRegression, int]:
    """Draw sizes, and weight decay half of the time; return the spec and a number of examples."""
    features, classes, n = _distinct_sizes(rng, 3)
    decay = float(rng.choice([0.0, rng.uniform(0.001, 1)]))
    return SoftmaxRegression(features=features, classes=classes, weight_decay=decay), n


def draw_mlp(rng: np.random.Generator) -> tuple[MLP, int]:
    """Draw depth, widths, activations, loss and reduction; return the spec and a number of examples."""
    *widths, n = _distinct_sizes(rng, int(rng.integers(1, MOST_LAYERS + 1)) + 2)
    loss = str(rng.choice(["cross_entropy", "squared_error"]))
    reductions = ["mean", "sum"] + (["half-sum"] if loss == "squared_error" else [])
    settings: dict[str, Any] = {
        "activation": str(rng.choice(get_args(Activation))),
        "output_activation": str(rng.choice(get_args(Activation))),
        "loss": loss,
        "reduction": str(rng.choice(reductions)),
    }
    return MLP(widths=tuple(widths), **settings), n


VARIANTS: dict[str, Callable[[np.random.Generator], tuple[SoftmaxRegression | MLP, int]]] = {
    "softmax_regression": draw_softmax_regression,
    "mlp": draw_mlp,
}
"""Model name -> a draw of its spec and of a number of examples."""


def _distinct_sizes(rng: np.random.Generator, count: int) -> list[int]:
    """Draw so many sizes, all different; the last one, which counts examples, is at least 3."""
    while True:
        exponents = rng.uniform(np.log2(SMALLEST), np.log2(LARGEST + 1), size=count)
        sizes = [int(size) for size in 2**exponents]
        if len(set(sizes)) == count and sizes[-1] >= 3:
            return sizes
