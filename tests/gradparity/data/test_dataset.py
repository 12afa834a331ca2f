"""What a data set says of itself, and how labels become real targets."""

import numpy as np

from gradparity.data import Dataset, with_real_targets
from gradparity.protocol import Examples


def labelled() -> Dataset:
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    return Dataset("four", Examples(x, np.array([2, 0, 3, 2]), 255.0), Examples(x[:1], np.array([1]), 255.0), 4, None)


def test_sizes_of_a_labelled_set() -> None:
    assert (labelled().features, labelled().outputs) == (3, 4)


def test_labels_become_one_hot_float64_and_the_rest_stays() -> None:
    before = labelled()
    after = with_real_targets(before)
    np.testing.assert_array_equal(after.train.y, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    np.testing.assert_array_equal(after.test.y, [[0, 1, 0, 0]])
    assert after.train.y.dtype == np.float64
    assert (after.classes, after.outputs, after.features, after.name) == (None, 4, 3, "four")
    assert after.train.x is before.train.x
    assert after.train.divisor == 255


def test_real_targets_stay_as_they_are() -> None:
    real = with_real_targets(labelled())
    assert with_real_targets(real) is real
