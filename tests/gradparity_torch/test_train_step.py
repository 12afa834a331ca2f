from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, Dtype, Examples, ModelSpec, Params, TrainStep
from gradparity.runtime import ModelFunctions
from gradparity_torch import backend

SPECS: dict[str, ModelSpec] = {
    "labels": SoftmaxRegression(features=5, classes=3, weight_decay=0.1),
    "targets": MLP((5, 4, 2), loss="squared_error"),
    "wide": MLP((5, 20, 17), activation="tanh"),
}


def train_step(spec: ModelSpec, dtype: Dtype = "float64", optimizer: str = "sgd") -> tuple[TrainStep, Any]:
    step = backend.model(spec, dtype).train_step(backend.optimizer(optimizer, lr=0.05))
    rng = np.random.default_rng(6)
    return step, step.start({name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()})


def examples(spec: ModelSpec, n: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    return Examples(rng.integers(0, 256, (n, 5), dtype=np.uint8), spec.example_batch(rng, n).y, 255.0)


@settings(deadline=None, max_examples=20)
@given(
    name=st.sampled_from(sorted(SPECS)),
    optimizer=st.sampled_from(["sgd", "momentum", "adam"]),
    dtype=st.sampled_from(["float32", "float64"]),
    n=st.integers(1, 23),
    batch_size=st.integers(1, 30),
)
def test_an_epoch_is_its_steps_one_by_one(name: str, optimizer: str, dtype: Dtype, n: int, batch_size: int) -> None:
    spec = SPECS[name]
    data = examples(spec, n)
    order = np.random.default_rng(1).permutation(n)
    step, state = train_step(spec, dtype, optimizer)
    state, losses = step.epoch(state, step.load(data), order, batch_size)

    other, singly = train_step(spec, dtype, optimizer)
    expected = []
    for start in range(0, n, batch_size):
        singly, loss = other(singly, data.batch(order[start : start + batch_size], dtype))
        expected.append(float(loss))
    assert losses.dtype == dtype
    rtol, atol = (1e-4, 1e-5) if dtype == "float32" else (1e-9, 1e-11)
    np.testing.assert_allclose(losses, expected, rtol, atol)
    for parameter, value in step.params(state).items():
        np.testing.assert_allclose(value, other.params(singly)[parameter], rtol, atol)


def test_an_epoch_of_many_gathers_is_its_steps_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradparity_torch.runtime.NUMBERS_PER_GATHER", 5 * 8)
    batches = batches_of(examples(SPECS["labels"], 23), np.arange(23), 4, "float32")
    assert [len(batch.y) for batch in batches] == [4, 4, 4, 4, 4, 3]
    expected = examples(SPECS["labels"], 23).batch(slice(None), "float32")
    np.testing.assert_array_equal(np.concatenate([batch.x for batch in batches]), expected.x)
    np.testing.assert_array_equal(np.concatenate([batch.y for batch in batches]), expected.y)


def batches_of(data: Examples, order: np.ndarray, batch_size: int, dtype: Dtype) -> list[Batch]:
    """The batches that an epoch hands to the derivation."""
    seen: list[Batch] = []

    def record(params: Params, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        seen.append(Batch(batch.x.numpy().copy(), batch.y.numpy().copy()))
        return torch.zeros(()), {name: torch.zeros_like(p) for name, p in params.items()}

    model = replace(backend.model(SPECS["labels"], dtype), functions=ModelFunctions(record))
    step = model.train_step(backend.optimizer("sgd", lr=0.1))
    step.epoch(step.start({"p": np.zeros(1)}), step.load(data), order, batch_size)
    return seen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("divisor", [1.0, 255.0, 3.3, 0.1])
def test_pixels_become_the_same_bits_as_in_numpy(divisor: float, dtype: Dtype) -> None:
    x = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    data = Examples(x, np.zeros(3, dtype=np.int64), divisor)
    (batch,) = batches_of(data, np.arange(3), 3, dtype)
    expected = x.astype(dtype) / np.dtype(dtype).type(divisor)
    assert batch.x.dtype == expected.dtype == dtype
    assert batch.x.tobytes() == expected.tobytes() == data.batch(slice(None), dtype).x.tobytes()


@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_examples_are_the_same_bits_as_in_numpy(given: Dtype, dtype: Dtype) -> None:
    rng = np.random.default_rng(2)
    data = Examples(rng.normal(size=(9, 5)).astype(given), rng.normal(size=(9, 2)), 7.0)
    order = rng.permutation(9)
    (batch,) = batches_of(data, order, 9, dtype)
    expected = data.batch(order, dtype)
    np.testing.assert_array_equal(batch.x, expected.x)
    np.testing.assert_array_equal(batch.y, expected.y)
    assert batch.x.dtype == batch.y.dtype == dtype


def test_loading_writable_pixels_copies_nothing() -> None:
    step, _ = train_step(SPECS["labels"])
    data = examples(SPECS["labels"], 4)
    assert np.shares_memory(step.load(data).x.numpy(), data.x)


def test_training_leaves_the_examples_unchanged() -> None:
    step, state = train_step(SPECS["targets"])
    data = examples(SPECS["targets"], 7)
    x, y = data.x.copy(), data.y.copy()
    step.epoch(state, step.load(data), np.arange(7), 3)
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)


def test_examples_that_cannot_be_written_are_loaded_without_a_warning() -> None:
    step, _ = train_step(SPECS["labels"])
    data = examples(SPECS["labels"], 4)
    data.x.flags.writeable = data.y.flags.writeable = False
    np.testing.assert_array_equal(step.load(data).x, data.x)


def test_an_epoch_of_no_examples_takes_no_step() -> None:
    step, state = train_step(SPECS["labels"])
    before = step.params(state)
    state, losses = step.epoch(state, step.load(examples(SPECS["labels"], 4)), np.arange(0), 3)
    assert losses.shape == (0,)
    assert all(torch.equal(value, before[name]) for name, value in step.params(state).items())


@pytest.mark.parametrize("name", SPECS)
def test_the_loss_of_a_step_is_the_loss_before_it(name: str) -> None:
    spec = SPECS[name]
    step, state = train_step(spec)
    batch = spec.example_batch(np.random.default_rng(3), 8)
    expected = backend.model(spec, "float64").loss(step.params(state), batch)
    _, loss = step(state, batch)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


@pytest.mark.parametrize("layout", ["rows", "columns", "tensors", "tensors with gradients"])
@pytest.mark.parametrize("name", SPECS)
def test_a_state_shares_no_memory_with_the_parameters_it_started_from_or_gave(name: str, layout: str) -> None:
    layouts: dict[str, Callable[[np.ndarray], Any]] = {
        "rows": np.array,
        "columns": lambda p: torch.from_numpy(np.asfortranarray(p)),
        "tensors": torch.tensor,
        "tensors with gradients": lambda p: torch.tensor(p, requires_grad=True),
    }
    spec = SPECS[name]
    step = backend.model(spec, "float64").train_step(backend.optimizer("sgd", lr=0.1))
    rng = np.random.default_rng(0)
    before = {parameter: rng.normal(size=shape) for parameter, shape in spec.param_shapes.items()}
    started = {parameter: layouts[layout](p.copy()) for parameter, p in before.items()}
    state = step.start(started)
    taken = step.params(state)
    state, _ = step(state, spec.example_batch(rng, 4))
    for parameter, p in before.items():
        np.testing.assert_array_equal(torch.as_tensor(started[parameter]).detach(), p)
        np.testing.assert_array_equal(taken[parameter], p)
        assert (step.params(state)[parameter].numpy() != p).any()


Update = Callable[[np.ndarray, int], np.ndarray]


def sgd() -> Update:
    return lambda g, _: np.asarray(0.05 * g)


def momentum(mu: float) -> Update:
    v = np.zeros(())

    def update(g: np.ndarray, _: int) -> np.ndarray:
        nonlocal v
        v = mu * v + g
        return np.asarray(0.05 * v)

    return update


def adam(beta1: float, beta2: float, eps: float) -> Update:
    m = v = np.zeros(())

    def update(g: np.ndarray, t: int) -> np.ndarray:
        nonlocal m, v
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        return np.asarray(0.05 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps))

    return update


@pytest.mark.parametrize(
    ("name", "hyperparameters", "update"),
    [
        ("sgd", {}, sgd),
        ("momentum", {}, lambda: momentum(0.9)),
        ("momentum", {"momentum": 0.5}, lambda: momentum(0.5)),
        ("adam", {}, lambda: adam(0.9, 0.999, 1e-8)),
        ("adam", {"beta1": 0.8, "beta2": 0.95, "eps": 0.1}, lambda: adam(0.8, 0.95, 0.1)),
    ],
)
def test_optimizers_follow_their_formulas(
    name: str, hyperparameters: dict[str, float], update: Callable[[], Update]
) -> None:
    spec = SPECS["wide"]
    model = backend.model(spec, "float64")
    step = model.train_step(backend.optimizer(name, lr=0.05, **hyperparameters))
    params = spec.init(np.random.default_rng(1))
    state = step.start(params)
    updates = {parameter: update() for parameter in params}
    for t in range(1, 6):
        batch = spec.example_batch(np.random.default_rng(t), 6)
        _, gradients = model.value_and_grad(params, batch)
        params = {p: value - updates[p](gradients[p].numpy(), t) for p, value in params.items()}
        state, _ = step(state, batch)
    for parameter, value in step.params(state).items():
        np.testing.assert_allclose(value, params[parameter], rtol=1e-9, atol=1e-12)
