"""Softmax regression in JAX, against its formula in NumPy."""

import numpy as np
import pytest

from gradparity.models import SoftmaxRegression
from gradparity.protocol import Batch, Dtype
from gradparity_jax import backend


@pytest.mark.parametrize("weight_decay", [0.0, 0.7])
def test_the_loss_is_the_formula_of_the_spec(weight_decay: float) -> None:
    spec = SoftmaxRegression(features=4, classes=3, weight_decay=weight_decay, init_std=1.0)
    rng = np.random.default_rng(0)
    params, batch = spec.init(rng), spec.example_batch(rng, 6)
    z = batch.x @ params["W"] + params["b"]
    softmax = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    expected = -np.log(softmax[np.arange(6), batch.y]).mean() + weight_decay / 2 * (params["W"] ** 2).sum()
    model = backend.model(spec, "float64")
    assert np.isclose(model.loss(params, batch), expected, rtol=1e-13)
    assert np.allclose(model.predict(params, batch.x), z, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand_give_the_exact_limit(dtype: Dtype) -> None:
    spec = SoftmaxRegression(features=2, classes=3)
    params = {"W": np.zeros((2, 3)), "b": np.array([1e4, -1e4, 0.0])}
    batch = Batch(np.ones((2, 2)), np.array([0, 1]))  # the first label is certain, the second impossible
    loss, gradients = backend.model(spec, dtype).value_and_grad(params, batch)
    assert float(loss) == 1e4
    assert np.array_equal(gradients["b"], [0.5, -0.5, 0.0])
