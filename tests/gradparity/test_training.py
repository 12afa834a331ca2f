import os
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.data import Dataset, SyntheticShape, load, with_real_targets
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Backend
from gradparity.training import Settings, accuracy_on, labels_of, train

NOTEBOOK = [
    (0.4578, 0.8858), (0.3865, 0.8969), (0.3568, 0.9029), (0.3398, 0.9070),
    (0.3275, 0.9101), (0.3183, 0.9123), (0.3132, 0.9131), (0.3065, 0.9167),
]  # fmt: skip
"""Loss and accuracy that the notebook printed after each epoch."""

EVERY = [
    *("numpy", "jax", "torch", "jax-manual", "torch-manual", "numpy-autograd"),
    pytest.param("torch-compile", marks=pytest.mark.slow),
]


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    if "GRADPARITY_DATA" not in os.environ:
        pytest.skip("MNIST is needed: set GRADPARITY_DATA to the folder that holds mnist/")
    return load("mnist")


@pytest.fixture(params=EVERY)
def backend(request: pytest.FixtureRequest) -> Backend:
    found = registry.availability(request.param)
    if found.backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    return found.backend


def test_every_backend_prints_the_notebooks_numbers(backend: Backend, mnist: Dataset) -> None:
    spec = SoftmaxRegression(784, 10)
    epochs = list(train(backend, spec, mnist, Settings(8, 256, 0.1, "sgd", "float32", 42)))
    assert [(round(e.loss, 4), round(e.accuracy or 0, 4)) for e in epochs] == NOTEBOOK
    assert f"{accuracy_on(backend, spec, epochs[-1].params, mnist.test, 'float32'):.4f}" == "0.9158"


def test_training_learns_the_digits(backend: Backend) -> None:
    digits = load("digits")
    spec = MLP(widths=(64, 32, 10))
    *_, last = train(backend, spec, digits, Settings(epochs=12, optimizer="adam", lr=0.01))
    assert (accuracy_on(backend, spec, last.params, digits.test, "float32") or 0) > 0.9


def test_the_same_seed_gives_the_same_epochs() -> None:
    def run(seed: int) -> list[float]:
        return [
            e.loss
            for e in train(registry.backend("numpy"), SoftmaxRegression(64, 10), load("digits"), Settings(2, seed=seed))
        ]

    assert run(1) == run(1) != run(2)


def test_real_targets_have_no_accuracy() -> None:
    real = load("synthetic", synthetic_shape=SyntheticShape(100, 6, 3, real=True))
    spec = MLP(widths=(6, 8, 3), loss="squared_error", activation="tanh")
    epochs = list(train(registry.backend("numpy"), spec, real, Settings(5, 8, 0.02)))
    assert [e.accuracy for e in epochs] == [None] * 5
    assert epochs[-1].loss < epochs[0].loss


def test_one_hot_targets_count_as_labels() -> None:
    assert (labels_of(np.eye(3)[[2, 0, 1]]) == [2, 0, 1]).all()  # type: ignore[union-attr]
    assert labels_of(np.array([[0.2, 0.8]])) is None
    assert labels_of(np.array([[1.0], [1.0]])) is None


def test_divergence_is_told_with_its_step() -> None:
    spec = MLP(widths=(64, 8, 10), loss="squared_error")
    with pytest.raises(
        UsageError, match=r"training diverged: the loss is (inf|nan) at epoch 1, step \d+ of 23: lower --lr"
    ):
        list(train(registry.backend("numpy"), spec, with_real_targets(load("digits")), Settings(3, lr=1e3)))


@pytest.mark.fault(kind="options")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"epochs": 0}, "--epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 1.5}, "--epochs must be a whole number of at least 1, got 1.5"),
        ({"lr": "fast"}, "--lr must be finite and above 0, got 'fast'"),
        ({"batch_size": -3}, "--batch-size must be a whole number of at least 1, got -3"),
        ({"lr": float("nan")}, "--lr must be finite and above 0, got nan"),
        ({"lr": float("inf")}, "--lr must be finite and above 0, got inf"),
        ({"lr": 0.0}, "--lr must be finite and above 0, got 0.0"),
        ({"seed": -1}, "--seed must be a whole number of at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Settings(**wrong)


@pytest.mark.fault(kind="python", cases=2)
def test_training_refuses_a_backend_by_name_and_data_of_another_size() -> None:
    with pytest.raises(UsageError, match=r"backend must be one, got 'numpy': such as gradparity\.backend\('numpy'\)"):
        next(train("numpy", SoftmaxRegression(64, 10), load("digits"), Settings()))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"of x in the shape .* got x of shape"):
        next(train(registry.backend("numpy"), SoftmaxRegression(3, 10), load("digits"), Settings()))
