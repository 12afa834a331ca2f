"""What every loop of this package trains: softmax regression, from the same weights, on the same batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from gradparity import SoftmaxRegression
from gradparity.protocol import Examples

Weights: TypeAlias = dict[str, np.ndarray]
"""W (features, classes) and b (classes,)."""


@dataclass(frozen=True, eq=False)
class Task:
    """Softmax regression on some examples, by plain gradient descent in float32; the defaults are the notebook's."""

    examples: Examples
    classes: int
    batch_size: int = 256
    lr: float = 0.1
    seed: int = 42

    @property
    def spec(self) -> SoftmaxRegression:
        """The model at the sizes of the examples."""
        return SoftmaxRegression(features=self.examples.x.shape[1], classes=self.classes)

    def start(self) -> tuple[Weights, np.random.Generator]:
        """Return the initial weights, in float64, and the generator that then draws each epoch's permutation."""
        rng = np.random.default_rng(self.seed)
        return self.spec.init(rng), rng


Loop: TypeAlias = Callable[[Task], Iterator[Weights]]
"""Trains without end: each ``next`` is one epoch, and gives a copy of the weights after it."""
