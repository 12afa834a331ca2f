"""The compiled step and the compiled epoch."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Examples, ModelSpec
from gradparity.runtime import ModelFunctions
from gradparity_jax import backend

SOFTMAX = SoftmaxRegression(features=6, classes=4, weight_decay=0.1)


def images(spec: ModelSpec, n: int) -> Examples:
    """8-bit images, with the labels or targets of the spec."""
    rng = np.random.default_rng(5)
    y = spec.example_batch(rng, n).y
    features = next(iter(spec.param_shapes.values()))[0]
    return Examples(rng.integers(0, 256, (n, features)).astype(np.uint8), y, 255.0)


@pytest.mark.parametrize(
    ("spec", "batch_size"),
    [(SOFTMAX, 4), (SOFTMAX, 11), (SOFTMAX, 30), (MLP((6, 5, 2), loss="squared_error"), 4)],
    ids=["smaller-last", "one-full", "one-smaller", "real-targets"],
)
def test_an_epoch_equals_its_steps_taken_one_by_one(spec: ModelSpec, batch_size: int) -> None:
    examples = images(spec, 11)
    params = spec.init(np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(11)
    step = backend.model(spec, "float64").train_step(backend.optimizer("momentum", lr=0.2))
    state, losses = step.epoch(step.start(params), step.load(examples), order, batch_size)
    one_by_one, expected = step.start(params), []
    for start in range(0, 11, batch_size):
        one_by_one, loss = step(one_by_one, examples.batch(order[start : start + batch_size], "float64"))
        expected.append(float(loss))
    assert losses.shape == (len(expected),)
    assert np.allclose(losses, expected, rtol=1e-12)
    ours, theirs = step.params(state), step.params(one_by_one)
    assert all(np.allclose(ours[name], theirs[name], rtol=1e-11, atol=1e-13) for name in spec.param_shapes)


def test_training_in_float32_stays_within_rounding_of_float64() -> None:
    examples, order = images(SOFTMAX, 40), np.arange(40)
    params = SOFTMAX.init(np.random.default_rng(0))

    def losses(dtype: Any) -> np.ndarray:
        step = backend.model(SOFTMAX, dtype).train_step(backend.optimizer("sgd", lr=0.5))
        return step.epoch(step.start(params), step.load(examples), order, 8)[1]

    single = losses("float32")
    assert single.dtype == np.float32
    assert np.allclose(single, losses("float64"), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "batch_size"), [(512, 256), (256, 300)], ids=["scanned", "smaller-last"])
def test_pixels_are_scaled_to_the_same_bits_as_numpy(dtype: Any, n: int, batch_size: int) -> None:
    x = np.zeros((n, 2), np.uint8)
    x[:256] = np.arange(256, dtype=np.uint8)[:, np.newaxis]

    def collect(_params: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
        return jnp.sum(batch.x), {"seen": -jnp.pad(batch.x, ((0, 300 - len(batch.x)), (0, 0)))}

    model = replace(backend.model(SOFTMAX, dtype), functions=ModelFunctions(collect))
    step = model.train_step(backend.optimizer("sgd", lr=1.0))
    state = step.start({"seen": np.zeros((300, 2))})
    state, _ = step.epoch(state, step.load(Examples(x, np.zeros(n, np.int64), 255.0)), np.arange(n), batch_size)
    expected = x[:256].astype(dtype) / np.dtype(dtype).type(255)
    assert np.array_equal(step.params(state)["seen"][:256], expected)


def test_images_stay_uint8_on_the_device_and_the_rest_takes_the_models_dtype() -> None:
    step = backend.model(SOFTMAX).train_step(backend.optimizer("sgd", lr=0.1))
    with_labels = step.load(images(SOFTMAX, 5))
    assert (with_labels.x.dtype, with_labels.y.dtype) == (np.uint8, np.int32)
    with_targets = step.load(Examples(np.ones((5, 6)), np.ones((5, 4))))
    assert (with_targets.x.dtype, with_targets.y.dtype) == (np.float32, np.float32)


def test_neither_the_given_nor_the_returned_parameters_are_consumed_by_a_step() -> None:
    rng = np.random.default_rng(0)
    given = {name: backend.from_numpy(value.astype(np.float32)) for name, value in SOFTMAX.init(rng).items()}
    batch = SOFTMAX.example_batch(rng, 5)
    step = backend.model(SOFTMAX).train_step(backend.optimizer("sgd", lr=0.1))
    state = step.start(given)
    taken = step.params(state)
    copies = {name: np.array(value) for name, value in taken.items()}
    backend.wait(step(state, batch))
    for name, copy in copies.items():
        assert np.array_equal(given[name], copy)
        assert np.array_equal(taken[name], copy)


@pytest.mark.parametrize("outside", [-1, 5])
def test_an_order_that_names_no_example_is_refused(outside: int) -> None:
    step = backend.model(SOFTMAX).train_step(backend.optimizer("sgd", lr=0.1))
    state = step.start(SOFTMAX.init(np.random.default_rng(0)))
    with pytest.raises(UsageError, match="indices from 0 to 4"):
        step.epoch(state, step.load(images(SOFTMAX, 5)), np.array([0, outside, 2]), 2)


def sgd(p: Any, g: Any, memory: dict[str, Any], t: int) -> Any:  # noqa: ARG001 - all rules are called alike
    return p - 0.1 * g


def momentum(p: Any, g: Any, memory: dict[str, Any], t: int) -> Any:  # noqa: ARG001
    memory["v"] = 0.8 * memory.get("v", 0) + g
    return p - 0.1 * memory["v"]


def adam(p: Any, g: Any, memory: dict[str, Any], t: int) -> Any:
    memory["m"] = 0.7 * memory.get("m", 0) + 0.3 * g
    memory["v"] = 0.95 * memory.get("v", 0) + 0.05 * g**2
    m_hat, v_hat = memory["m"] / (1 - 0.7**t), memory["v"] / (1 - 0.95**t)
    return p - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-3)


@pytest.mark.parametrize(
    ("rule", "hyperparameters"),
    [(sgd, {}), (momentum, {"momentum": 0.8}), (adam, {"beta1": 0.7, "beta2": 0.95, "eps": 1e-3})],
)
def test_an_optimizer_follows_its_published_rule(rule: Any, hyperparameters: dict[str, float]) -> None:
    rng = np.random.default_rng(4)
    model = backend.model(SOFTMAX, "float64")
    step = model.train_step(backend.optimizer(rule.__name__, lr=0.1, **hyperparameters))
    expected = {name: rng.normal(size=shape) for name, shape in SOFTMAX.param_shapes.items()}
    state, memory = step.start(expected), {name: dict[str, Any]() for name in expected}
    for t in range(1, 5):
        batch = SOFTMAX.example_batch(rng, 7)
        gradients = model.value_and_grad(expected, batch)[1]
        expected = {name: rule(value, np.array(gradients[name]), memory[name], t) for name, value in expected.items()}
        state, _ = step(state, batch)
    trained = step.params(state)
    assert all(np.allclose(trained[name], expected[name], rtol=1e-11, atol=1e-13) for name in expected)
