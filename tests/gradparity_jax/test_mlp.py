"""The multilayer perceptron in JAX, against its formulas in NumPy."""

from typing import Any

import numpy as np
import pytest

from gradparity.models import MLP
from gradparity.protocol import Batch
from gradparity_jax import backend

PHI: dict[str, Any] = {
    "relu": lambda z: np.where(z > 0, z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "identity": lambda z: z,
}
REDUCE: dict[str, Any] = {
    "mean": lambda terms: terms.sum() / len(terms),
    "sum": lambda terms: terms.sum(),
    "half-sum": lambda terms: 0.5 * terms.sum(),
}


@pytest.mark.parametrize("hidden", PHI)
def test_the_output_is_the_last_activation(hidden: Any) -> None:
    spec = MLP(activation=hidden, output_activation="sigmoid" if hidden == "tanh" else "tanh")
    rng = np.random.default_rng(1)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    x = spec.example_batch(rng, 4).x
    a = x
    for layer, phi in ((1, PHI[hidden]), (2, PHI[hidden]), (3, PHI[spec.output_activation])):
        a = phi(a @ params[f"W{layer}"] + params[f"b{layer}"])
    assert np.allclose(backend.model(spec, "float64").predict(params, x), a, rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "reduction"),
    [
        ("cross_entropy", "mean"),
        ("cross_entropy", "sum"),
        ("squared_error", "mean"),
        ("squared_error", "sum"),
        ("squared_error", "half-sum"),
    ],
)
def test_the_loss_is_the_formula_of_the_spec(loss: Any, reduction: Any) -> None:
    spec = MLP(widths=(4, 3), loss=loss, reduction=reduction)
    rng = np.random.default_rng(2)
    params, batch = spec.init(rng), spec.example_batch(rng, 5)
    a = batch.x @ params["W1"] + params["b1"]
    if loss == "cross_entropy":
        terms = np.log(np.exp(a).sum(axis=1)) - a[np.arange(5), batch.y]
    else:
        terms = ((a - batch.y) ** 2).sum(axis=1)
    assert np.isclose(backend.model(spec, "float64").loss(params, batch), REDUCE[reduction](terms), rtol=1e-13)


def test_the_derivative_of_relu_at_zero_is_zero() -> None:
    spec = MLP(widths=(2, 3, 2), loss="squared_error")
    params = {"W1": np.zeros((2, 3)), "b1": np.zeros(3), "W2": np.ones((3, 2)), "b2": np.zeros(2)}
    gradients = backend.model(spec).trace(params, Batch(np.ones((1, 2)), np.ones((1, 2)))).gradients
    assert np.all(gradients["a1"] == -4)
    assert np.all(gradients["z1"] == 0)


@pytest.mark.parametrize("activation", PHI)
def test_inputs_of_ten_thousand_leave_every_gradient_finite(activation: Any) -> None:
    spec = MLP(widths=(2, 3, 4), activation=activation)
    params = {
        "W1": np.zeros((2, 3)),
        "b1": np.array([1e4, -1e4, 0.0]),
        "W2": np.eye(3, 4),
        "b2": np.array([0.0, -1e4, 1e4, 0.0]),
    }
    trace = backend.model(spec).trace(params, Batch(np.ones((4, 2)), np.arange(4)))
    assert all(np.isfinite(array).all() for array in (*trace.values.values(), *trace.gradients.values()))
    assert trace.values["loss"] > 1e3
