"""What every user's arrays must obey, and how one set of examples becomes two."""

import numpy as np
from jaxtyping import Num, Shaped

from gradparity.errors import UsageError
from gradparity.protocol import Examples

TEST_SHARE = 5
"""One example in five is for testing."""
PLAUSIBLE_CLASSES = 1_000
"""More classes than this need at least as many examples: else real targets were taken for labels."""


def required_inputs(
    name: str, array: Shaped[np.ndarray, "..."]
) -> tuple[Num[np.ndarray, "n features"], tuple[int, int] | None]:
    """Return x (n, features) and the image shape: uint8, float32 and float64 as they are, whole numbers as int64.

    Images (n, height, width) are flattened. Raises UsageError for another shape, no examples, no features, and for
    what is not a finite number.
    """
    if array.ndim not in (2, 3):
        raise UsageError(f"{name} must be (n, features) or (n, height, width), got shape {array.shape}")
    if array.size == 0:
        raise UsageError(f"{name} must hold at least one example of at least one feature, got shape {array.shape}")
    _require_numbers(name, array)
    image_shape = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    native = array.dtype.newbyteorder("=")
    whole = native.kind in "iu" and np.can_cast(native, np.int64)
    dtype = native if native in (np.uint8, np.float32, np.float64) else np.int64 if whole else np.float64
    x = np.ascontiguousarray(array.reshape(len(array), -1), dtype)
    _require_finite(name, x)
    return x, image_shape


def targets(name: str, array: Shaped[np.ndarray, "..."]) -> Num[np.ndarray, "n ..."]:
    """Return labels (n,) int64 from integers (n,) or (n, 1), real targets (n, outputs) float64 from all else.

    Raises UsageError for another shape, for what is not a finite number, and for labels that are negative or
    implausibly large.
    """
    if array.ndim not in (1, 2) or array.size == 0:
        raise UsageError(f"{name} must be labels (n,) or real targets (n, outputs), got shape {array.shape}")
    _require_numbers(name, array)
    if array.dtype.kind in "iub" and (array.ndim == 1 or array.shape[1] == 1):
        return labels(name, array.reshape(-1))
    y = np.ascontiguousarray(array.reshape(len(array), -1), np.float64)
    _require_finite(name, y)
    return y


def labels(name: str, array: Shaped[np.ndarray, " n"]) -> Num[np.ndarray, " n"]:
    """Return whole numbers as int64 labels. Raises UsageError for a negative or an implausibly large one."""
    low, high = int(array.min()), int(array.max())
    if low < 0:
        raise UsageError(f"{name}: labels count the classes from 0, got {low}; real targets are written as floats")
    if high >= max(len(array), PLAUSIBLE_CLASSES):
        raise UsageError(
            f"{name}: label {high} makes {high + 1} classes of {len(array)} examples: "
            "number the classes from 0, or write real targets as floats"
        )
    return array.astype(np.int64)


def classes(y: Num[np.ndarray, "n ..."]) -> int | None:
    """Count the classes of labels (n,), from 0 to the largest; None for real targets (n, outputs)."""
    return int(y.max()) + 1 if y.ndim == 1 else None


def require_same_length(x_name: str, x: Num[np.ndarray, "n ..."], y_name: str, y: Num[np.ndarray, "m ..."]) -> None:
    """Raise UsageError unless x and y have the same number of examples."""
    if len(x) != len(y):
        raise UsageError(f"{x_name} and {y_name} must have as many examples, got {len(x)} and {len(y)}")


def require_alike(source: str, train: Examples, test: Examples) -> None:
    """Raise UsageError unless test examples have the features, scale and kind of target of the train examples."""
    if train.x.shape[1] != test.x.shape[1]:
        raise UsageError(
            f"{source}: x_train and x_test must have as many features, got {train.x.shape[1]} and {test.x.shape[1]}"
        )
    if train.divisor != test.divisor:
        raise UsageError(
            f"{source}: x_train and x_test must both be uint8, or neither (uint8 is divided by 255), "
            f"got {train.x.dtype} and {test.x.dtype}"
        )
    if train.y.shape[1:] != test.y.shape[1:]:
        raise UsageError(
            f"{source}: y_train and y_test must both be labels, or real targets of as many columns, "
            f"got {train.y.dtype} {train.y.shape} and {test.y.dtype} {test.y.shape}"
        )
    if train.y.ndim == 1 and test.y.max() > train.y.max():
        raise UsageError(f"{source}: y_test has label {test.y.max()}, y_train none above {train.y.max()}")


def split(
    source: str, x: Num[np.ndarray, "n features"], y: Num[np.ndarray, "n ..."], divisor: float, seed: int
) -> tuple[Examples, Examples]:
    """Shuffle by the seed and set one example in five apart for testing. Raises UsageError for fewer than five."""
    if len(x) < TEST_SHARE:
        raise UsageError(f"{source}: splitting into train and test examples needs at least {TEST_SHARE}, got {len(x)}")
    order = np.random.default_rng(seed).permutation(len(x))
    train, test = np.split(order, [len(x) - len(x) // TEST_SHARE])
    return Examples(x[train], y[train], divisor), Examples(x[test], y[test], divisor)


def _require_numbers(name: str, array: Shaped[np.ndarray, "..."]) -> None:
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{name} must hold real numbers, got dtype {array.dtype}: number the classes from 0")


def _require_finite(name: str, array: Num[np.ndarray, "n columns"]) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise UsageError(
            f"{name} must be finite, got {array[row, column]} at row {row}, column {column} (counted from 0)"
        )
