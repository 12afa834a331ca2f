"""What a user's own model is trained on: a data set that has its shapes, or examples drawn in them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from gradparity.data import Dataset, load, with_real_targets
from gradparity.data.requirements import split
from gradparity.data.synthetic import SyntheticShape
from gradparity.errors import UsageError
from gradparity.protocol import Examples
from gradparity.subjects.model_file.model import UserModel

DRAWN = 1_000
"""Examples that are drawn where no data set is named, train and test together."""
DIGITS = (64, 10)
"""Features and classes of the embedded data set."""


def dataset_for(model: UserModel, data: str | None, data_dir: Path | None, seed: int) -> Dataset:
    """Load a data set and give its examples the model's shapes.

    Without a name it is what the model's own ``example_batch`` draws, else the digits where they fit, else synthetic
    data. Raises UsageError as ``gradparity.data.load`` does, and where the data set does not go with the model.
    """
    features = math.prod(model.input_shape)
    if data is None and model.own_example_batch is not None:
        return _drawn(model, seed)
    if data is None and (features, model.num_classes) != DIGITS:
        outputs = model.num_classes or math.prod(model.target_shape or ())
        shape = SyntheticShape(DRAWN, features, outputs, real=model.num_classes is None)
        return _shaped(model, load("synthetic", seed=seed, synthetic_shape=shape))
    dataset = load(data or "digits", data_dir=data_dir, seed=seed)
    if model.num_classes is None and dataset.classes is not None and not dataset.vocabulary:
        dataset = with_real_targets(dataset)
    _require_fitting(model, dataset)
    return _shaped(model, dataset)


def _drawn(model: UserModel, seed: int) -> Dataset:
    x, y, extras = model.example_batch(np.random.default_rng(seed), DRAWN)
    train, test = split(model.name, x, y, 1.0, seed)
    # The same shuffle for each, for the seed is the same.
    others = {name: split(model.name, a, y, 1.0, seed) for name, a in extras.items()}
    return Dataset(
        "drawn examples",
        replace(train, extras={name: a.x for name, (a, _) in others.items()}),
        replace(test, extras={name: a.x for name, (_, a) in others.items()}),
        model.num_classes,
        None,
    )


def _require_fitting(model: UserModel, dataset: Dataset) -> None:
    features, outputs = dataset.train.x[0].size, dataset.outputs
    wanted = math.prod(model.input_shape), model.num_classes or math.prod(model.target_shape or ())
    kind = "classes" if model.num_classes else "targets"
    if (features, outputs, dataset.classes is None) != (*wanted, model.num_classes is None):
        raise UsageError(
            f"{model.name} takes {wanted[0]} features and {wanted[1]} {kind}, the data set {dataset.name} has "
            f"{features} features and {outputs} {'targets' if dataset.classes is None else 'classes'}: "
            "name another with --data, or leave it out to have examples drawn"
        )


def _shaped(model: UserModel, dataset: Dataset) -> Dataset:
    def shaped(examples: Examples) -> Examples:
        n = len(examples)
        y = examples.y if model.target_shape is None else examples.y.reshape(n, *model.target_shape)
        return replace(examples, x=examples.x.reshape(n, *model.input_shape), y=y)

    return replace(dataset, train=shaped(dataset.train), test=shaped(dataset.test))
