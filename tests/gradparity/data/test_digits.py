"""The embedded digits are scikit-learn's, split once and for all."""

import numpy as np
from sklearn.datasets import load_digits

from gradparity.data import digits


def test_every_published_digit_is_there_once_as_uint8() -> None:
    dataset = digits.load()
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((1_437, 64), (360, 64))
    assert dataset.train.x.dtype == dataset.test.x.dtype == np.uint8
    assert dataset.train.y.dtype == np.int64
    assert (dataset.train.divisor, dataset.classes, dataset.image_shape) == (16, 10, (8, 8))
    x = np.concatenate([dataset.train.x, dataset.test.x])
    y = np.concatenate([dataset.train.y, dataset.test.y])
    published_x, published_y = load_digits(return_X_y=True)
    ours = sorted((*row, label) for row, label in zip(x.tolist(), y.tolist(), strict=True))
    published = sorted((*row, label) for row, label in zip(published_x.tolist(), published_y.tolist(), strict=True))
    assert ours == published


def test_the_split_is_always_the_same_and_holds_every_class() -> None:
    first, second = digits.load(), digits.load()
    np.testing.assert_array_equal(first.train.x, second.train.x)
    np.testing.assert_array_equal(first.test.y, second.test.y)
    # Pinned: another split would silently change every result.
    np.testing.assert_array_equal(first.train.y[:8], [2, 8, 2, 6, 6, 7, 1, 9])
    assert np.bincount(first.test.y, minlength=10).min() > 20
