"""Data sets, checked before anything is computed on them.

    >>> from gradparity import data
    >>> digits = data.load("digits")
    >>> digits.features, digits.outputs
    (64, 10)

Importing this package imports neither scikit-learn nor pooch: each is imported when a data set needs it.
"""

from gradparity.data.catalog import DATASETS, Status, load, status
from gradparity.data.dataset import Dataset, with_inputs_for, with_real_targets
from gradparity.data.synthetic import SyntheticShape

__all__ = ["DATASETS", "Dataset", "Status", "SyntheticShape", "load", "status", "with_inputs_for", "with_real_targets"]
