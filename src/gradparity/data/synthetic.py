"""Synthetic data of any shape, drawn from a seed, on which training makes progress."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from gradparity.data.dataset import Dataset
from gradparity.data.requirements import split
from gradparity.inputs import require_positive

NOISE = 0.1
"""Standard deviation of the noise on real targets, whose own variance is about 1."""


@dataclass(frozen=True)
class SyntheticShape:
    """How much to draw: n examples, train and test together."""

    n: int = 1_000
    features: int = 20
    outputs: int = 5
    """The number of classes, or of target columns where ``real``."""
    real: bool = False
    """Whether the targets are real numbers instead of labels."""

    def __post_init__(self) -> None:
        """Raise UsageError for sizes below 1."""
        require_positive("synthetic", n=self.n, features=self.features, outputs=self.outputs)


def load(shape: SyntheticShape, seed: int) -> Dataset:
    """Draw one Gaussian cluster per class: x = centre of the class + N(0, 1), each centre drawn from N(0, 1).

    Real targets are a linear map of normal inputs, y = xA + noise. One example in five is for testing.

    Raises UsageError for fewer examples than can be split.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(shape.n, shape.features))
    y: Num[np.ndarray, "n ..."]
    if shape.real:
        weights = rng.normal(0, shape.features**-0.5, (shape.features, shape.outputs))
        y = x @ weights + rng.normal(0, NOISE, (shape.n, shape.outputs))
    else:
        y = rng.integers(shape.outputs, size=shape.n)
        x += rng.normal(size=(shape.outputs, shape.features))[y]
    train, test = split("synthetic", x, y, 1.0, seed)
    return Dataset("synthetic", train, test, None if shape.real else shape.outputs, None)
