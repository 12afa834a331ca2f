from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.models import SoftmaxRegression
from gradparity.protocol import Batch, Dtype
from gradparity_torch import backend, softmax_regression

WEIGHT_DECAYS = (0.0, 0.3)


def draw(spec: SoftmaxRegression, seed: int = 5, n: int = 6) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return params, spec.example_batch(rng, n)


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    normalised: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


@pytest.mark.parametrize("weight_decay", WEIGHT_DECAYS)
def test_taps_exactly_the_lines_of_the_derivation(weight_decay: float) -> None:
    spec = SoftmaxRegression(weight_decay=weight_decay)
    trace = backend.model(spec, "float64").trace(*draw(spec))
    assert list(trace.values) == [line.name for line in spec.derivation if line.forward]
    assert set(trace.gradients) == {line.name for line in spec.derivation}


@settings(deadline=None, max_examples=30)
@given(
    features=st.integers(1, 9),
    classes=st.integers(1, 6),
    n=st.integers(1, 8),
    weight_decay=st.sampled_from(WEIGHT_DECAYS),
    seed=st.integers(0, 2**32),
)
def test_loss_is_the_formula_of_the_spec(features: int, classes: int, n: int, weight_decay: float, seed: int) -> None:
    spec = SoftmaxRegression(features, classes, weight_decay)
    params, batch = draw(spec, seed, n)
    logits = batch.x @ params["W"] + params["b"]
    expected = -np.mean([row[y] for row, y in zip(log_softmax(logits), batch.y, strict=True)])
    expected += weight_decay / 2 * (params["W"] ** 2).sum()
    model = backend.model(spec, "float64")
    np.testing.assert_allclose(model.loss(params, batch), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(model.predict(params, batch.x), logits, rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=30)
@given(features=st.integers(1, 9), classes=st.integers(2, 6), n=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_gradient_is_the_formula_of_the_spec(features: int, classes: int, n: int, seed: int) -> None:
    spec = SoftmaxRegression(features, classes, weight_decay=0.3)
    params, batch = draw(spec, seed, n)
    _, gradients = backend.model(spec, "float64").value_and_grad(params, batch)
    error = np.exp(log_softmax(batch.x @ params["W"] + params["b"]))
    error[np.arange(n), batch.y] -= 1
    np.testing.assert_allclose(gradients["W"], batch.x.T @ error / n + 0.3 * params["W"], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(gradients["b"], error.sum(axis=0) / n, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("weight_decay", WEIGHT_DECAYS)
def test_every_gradient_agrees_with_central_differences(
    weight_decay: float, central_differences: Callable[..., np.ndarray]
) -> None:
    spec = SoftmaxRegression(weight_decay=weight_decay)
    params, batch = draw(spec)
    for name, gradient in backend.model(spec, "float64").trace(params, batch).gradients.items():
        loss = partial(softmax_regression.loss, spec)
        expected = central_differences(loss, params, batch, name, gradient.shape)
        assert np.linalg.norm(gradient - expected) <= 1e-8 * np.linalg.norm(expected), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_stable_for_huge_logits(dtype: Dtype) -> None:
    spec = SoftmaxRegression(features=1, classes=3)
    params = {"W": np.array([[1e4, -1e4, 0.0]]), "b": np.zeros(3)}
    batch = Batch(np.array([[1.0], [1.0], [-1.0]]), np.array([0, 1, 2]))
    loss, gradients = backend.model(spec, dtype).value_and_grad(params, batch)
    assert float(loss) == pytest.approx((0 + 2e4 + 1e4) / 3)
    np.testing.assert_allclose(gradients["b"], np.array([1, 0, -1]) / 3, atol=1e-7)
    np.testing.assert_allclose(gradients["W"], np.array([[1, -2, 1]]) / 3, atol=1e-7)
