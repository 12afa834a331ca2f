from collections.abc import Callable
from functools import partial
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.models import MLP
from gradparity.operations import entrywise, reductions
from gradparity.operations.perceptron import Loss
from gradparity.protocol import Batch, Dtype
from gradparity_torch import backend, mlp

ACTIVATIONS: tuple[entrywise.Name, ...] = get_args(entrywise.Name)
LOSSES: tuple[tuple[Loss, reductions.Name], ...] = (
    ("cross_entropy", "mean"),
    ("cross_entropy", "sum"),
    ("squared_error", "mean"),
    ("squared_error", "sum"),
    ("squared_error", "half-sum"),
)


def draw(spec: MLP, seed: int = 8, n: int = 6) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return params, spec.example_batch(rng, n)


def numpy_loss(spec: MLP, params: dict[str, np.ndarray], batch: Batch) -> float:
    a = batch.x
    for layer in range(1, spec.depth + 1):
        phi = entrywise.FUNCTIONS[spec.activation if layer < spec.depth else spec.output_activation].value
        a = phi(a @ params[f"W{layer}"] + params[f"b{layer}"])
    if spec.loss == "cross_entropy":
        each = np.log(np.exp(a).sum(axis=1)) - a[np.arange(len(a)), batch.y]
    else:
        each = ((a - batch.y) ** 2).sum(axis=1)
    scale = {"mean": 1 / len(a), "sum": 1, "half-sum": 1 / 2}[spec.reduction]
    return float(scale * each.sum())


@pytest.mark.parametrize("widths", [(3, 2), (7, 6, 4, 5)])
def test_taps_exactly_the_lines_of_the_derivation(widths: tuple[int, ...]) -> None:
    spec = MLP(widths)
    trace = backend.model(spec, "float64").trace(*draw(spec))
    assert list(trace.values) == [line.name for line in spec.derivation if line.forward]
    assert set(trace.gradients) == {line.name for line in spec.derivation}


@settings(deadline=None, max_examples=50)
@given(
    widths=st.lists(st.integers(1, 6), min_size=2, max_size=5).map(tuple),
    activation=st.sampled_from(ACTIVATIONS),
    output_activation=st.sampled_from(ACTIVATIONS),
    loss=st.sampled_from(LOSSES),
    n=st.integers(1, 7),
    seed=st.integers(0, 2**32),
)
def test_loss_is_the_formula_of_the_spec(
    widths: tuple[int, ...],
    activation: entrywise.Name,
    output_activation: entrywise.Name,
    loss: tuple[Loss, reductions.Name],
    n: int,
    seed: int,
) -> None:
    spec = MLP(widths, activation, output_activation, *loss)
    params, batch = draw(spec, seed, n)
    model = backend.model(spec, "float64")
    np.testing.assert_allclose(model.loss(params, batch), numpy_loss(spec, params, batch), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "spec",
    [
        *(MLP((4, 3, 2), phi, phi) for phi in ACTIVATIONS),
        *(MLP((4, 3, 2), "tanh", "sigmoid", *loss) for loss in LOSSES),
    ],
    ids=lambda spec: f"{spec.activation}-{spec.output_activation}-{spec.loss}-{spec.reduction}",
)
def test_every_gradient_agrees_with_central_differences(
    spec: MLP, central_differences: Callable[..., np.ndarray]
) -> None:
    params, batch = draw(spec)
    for name, gradient in backend.model(spec, "float64").trace(params, batch).gradients.items():
        expected = central_differences(partial(mlp.loss, spec), params, batch, name, gradient.shape)
        assert np.linalg.norm(expected) > 0, name
        assert np.linalg.norm(gradient - expected) <= 1e-7 * np.linalg.norm(expected), name


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_relu_has_derivative_zero_at_zero(loss: Loss) -> None:
    spec = MLP((2, 3, 2), loss=loss)
    params, batch = draw(spec)
    params |= {"W1": np.zeros((2, 3)), "b1": np.zeros(3)}
    gradients = backend.model(spec, "float64").trace(params, batch).gradients
    assert np.all(gradients["a1"] != 0)
    assert np.all(gradients["z1"] == 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_stable_for_huge_outputs(dtype: Dtype) -> None:
    spec = MLP((1, 3))
    params = {"W1": np.array([[1e4, -1e4, 0.0]]), "b1": np.zeros(3)}
    batch = Batch(np.array([[1.0], [-1.0]]), np.array([1, 2]))
    loss, gradients = backend.model(spec, dtype).value_and_grad(params, batch)
    assert float(loss) == pytest.approx((2e4 + 1e4) / 2)
    np.testing.assert_allclose(gradients["b1"], np.array([1, 0, -1]) / 2, atol=1e-7)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturated_activations_have_finite_gradients(activation: entrywise.Name) -> None:
    spec = MLP((2, 3, 2), activation, activation)
    params, batch = draw(spec)
    huge = {name: 1e4 * value for name, value in params.items()}
    _, gradients = backend.model(spec, "float32").value_and_grad(huge, batch)
    assert all(gradient.isfinite().all() for gradient in gradients.values())
