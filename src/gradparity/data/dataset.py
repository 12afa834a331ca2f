"""What a loaded data set is: examples to train on, examples to test on, and what their targets mean."""

from dataclasses import dataclass, replace

import numpy as np

from gradparity.protocol import Examples, ModelSpec
from gradparity.runtime import read_only
from gradparity.spec_traits import DrawsExtras


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples for training and for testing, of the same features and the same kind of target.

    All backends share them, so their arrays cannot be written.
    """

    name: str
    train: Examples
    test: Examples
    classes: int | None
    """The number of classes, labelled from 0; None for real targets."""
    image_shape: tuple[int, int] | None
    """(height, width) where each row of x is a flattened image."""
    vocabulary: str = ""
    """The characters of a text, each at its token: x and y are then tokens (n, window), y those that follow."""

    def __post_init__(self) -> None:
        """Make the arrays read-only here; whose they were may still change them."""
        for part in ("train", "test"):
            object.__setattr__(self, part, getattr(self, part).map(read_only))

    @property
    def features(self) -> int:
        """The number of columns of x."""
        return int(self.train.x.shape[1])

    @property
    def outputs(self) -> int:
        """The number of classes, or of target columns."""
        return int(self.train.y.shape[1]) if self.classes is None else self.classes


def with_inputs_for(dataset: Dataset, spec: ModelSpec) -> Dataset:
    """Return the data set for a model: whole numbers stay where it takes tokens, and become float64 elsewhere.

    What the model draws for each example, such as dropout masks, is drawn.
    """
    if isinstance(spec, DrawsExtras) and not dataset.train.extras:
        extras = spec.draw_extras(np.random.default_rng(0), len(dataset.train))
        dataset = replace(dataset, train=replace(dataset.train, extras=extras))
    if dataset.train.x.dtype.kind != "i" or spec.example_batch(np.random.default_rng(0), 3).x.dtype.kind != "f":
        return dataset

    def real(examples: Examples) -> Examples:
        return replace(examples, x=examples.x.astype(np.float64))

    return replace(dataset, train=real(dataset.train), test=real(dataset.test))


def with_real_targets(dataset: Dataset) -> Dataset:
    """Replace labels (n,) by one-hot float64 targets (n, classes), for a squared-error loss.

    A data set that has real targets already is returned as it is.
    """
    if dataset.classes is None:
        return dataset
    one_hot = np.eye(dataset.classes)
    return replace(
        dataset,
        train=replace(dataset.train, y=one_hot[dataset.train.y]),
        test=replace(dataset.test, y=one_hot[dataset.test.y]),
        classes=None,
    )
