"""The embedded data set: real handwritten digits beside this file, so nothing is downloaded."""

from pathlib import Path

import numpy as np

from gradparity.data.dataset import Dataset
from gradparity.protocol import Examples

TRAIN = 1_437
WHITE = 16.0
"""The largest pixel value."""


def load() -> Dataset:
    """Load 1,797 images of 8×8 pixels as uint8 (n, 64), divisor 16, and labels 0 to 9: 1,437 to train on, 360 to test.

    The order is always the same permutation: in the published order neighbours are by the same writers.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998),
    its test set, as in ``sklearn.datasets.load_digits``.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as published:
        pixels, labels = published["pixels"], published["labels"]
    # RandomState, not Generator: NumPy promises that its stream never changes (NEP 19).
    order = np.random.RandomState(0).permutation(len(labels))
    x, y = pixels[order], labels.astype(np.int64)[order]
    return Dataset(
        "digits",
        Examples(x[:TRAIN], y[:TRAIN], WHITE),
        Examples(x[TRAIN:], y[TRAIN:], WHITE),
        classes=10,
        image_shape=(8, 8),
    )
