"""Synthetic data has the shape asked for, follows its seed, and can be learnt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.data import synthetic
from gradparity.data.synthetic import SyntheticShape
from gradparity.errors import UsageError


@given(
    shape=st.builds(
        SyntheticShape,
        n=st.integers(5, 50),
        features=st.integers(1, 9),
        outputs=st.integers(1, 9),
        real=st.booleans(),
    ),
    seed=st.integers(0, 10**9),
)
def test_any_shape_is_met(shape: SyntheticShape, seed: int) -> None:
    dataset = synthetic.load(shape, seed)
    assert (dataset.features, dataset.outputs) == (shape.features, shape.outputs)
    assert len(dataset.train) + len(dataset.test) == shape.n
    assert len(dataset.test) == shape.n // 5
    assert dataset.classes == (None if shape.real else shape.outputs)
    assert dataset.train.y.dtype == (np.float64 if shape.real else np.int64)
    assert dataset.train.x.flags.c_contiguous


def test_the_seed_decides() -> None:
    shape = SyntheticShape(n=20)
    first, again, other = (synthetic.load(shape, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.train.x, again.train.x)
    np.testing.assert_array_equal(first.train.y, again.train.y)
    assert not np.array_equal(first.train.x, other.train.x)


def test_classes_can_be_told_apart_by_their_means() -> None:
    dataset = synthetic.load(SyntheticShape(n=500, features=20, outputs=4), 0)
    means = np.stack([dataset.train.x[dataset.train.y == k].mean(axis=0) for k in range(4)])
    nearest = ((dataset.test.x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == dataset.test.y).mean() > 0.9


def test_real_targets_are_explained_by_a_linear_map() -> None:
    dataset = synthetic.load(SyntheticShape(n=500, features=8, outputs=3, real=True), 0)
    weights, *_ = np.linalg.lstsq(dataset.train.x, dataset.train.y)
    error = dataset.test.x @ weights - dataset.test.y
    assert np.mean(error**2) < 0.05 * np.mean(dataset.test.y**2)


@pytest.mark.fault(kind="python")
def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="synthetic: features must be a whole number of at least 1, got 0"):
        SyntheticShape(features=0)
    with pytest.raises(UsageError, match=r"synthetic: splitting .* needs at least 5, got 4"):
        synthetic.load(SyntheticShape(n=4), 0)
