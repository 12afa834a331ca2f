"""The boundary between the caller and JAX: dtypes, copies, the user's own settings, and errors."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Backend, Batch, Model, TrainStep
from gradparity.runtime import KeepsPrograms
from gradparity_jax import backend

SPEC = SoftmaxRegression(features=4, classes=3)


def draw(n: int = 5) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(0)
    return SPEC.init(rng), SPEC.example_batch(rng, n)


def x64() -> bool:
    return bool(jax.config.read("jax_enable_x64"))  # type: ignore[no-untyped-call]


def set_x64(enabled: bool) -> None:
    jax.config.update("jax_enable_x64", enabled)  # type: ignore[no-untyped-call]


@pytest.fixture(params=[False, True], ids=["x64-off", "x64-on"])
def users_x64(request: pytest.FixtureRequest) -> Iterator[bool]:
    """The user's own setting, either way."""
    before = x64()
    set_x64(request.param)
    yield request.param
    set_x64(before)


@pytest.mark.parametrize(("dtype", "users_x64"), [("float32", True), ("float64", False)], indirect=["users_x64"])
def test_every_result_has_the_models_dtype_whatever_the_users_setting(dtype: Any, users_x64: bool) -> None:
    params, batch = draw()
    model: Model = backend.model(SPEC, dtype)
    step: TrainStep = model.train_step(backend.optimizer("adam", lr=0.1))
    loss, gradients = model.value_and_grad(params, batch)
    trace = model.trace(params, batch)
    state, before = step(step.start(params), batch)
    results = [
        loss,
        *gradients.values(),
        model.loss(params, batch),
        model.predict(params, batch.x),
        *trace.values.values(),
        *trace.gradients.values(),
        before,
        *step.params(state).values(),
    ]
    assert {str(result.dtype) for result in results} == {dtype}
    assert x64() == users_x64


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("model_dtype", ["float32", "float64"])
def test_jax_arrays_of_any_float_dtype_are_cast_to_the_models(dtype: str, model_dtype: Any) -> None:
    params, batch = draw()
    with jax.enable_x64(True):
        given = {name: jnp.asarray(value, dtype) for name, value in params.items()}
        x = jnp.asarray(batch.x, dtype)
    model = backend.model(SPEC, model_dtype)
    rounded = {name: np.array(value, np.float64) for name, value in given.items()}
    loss, gradients = model.value_and_grad(given, Batch(x, jnp.asarray(batch.y, jnp.uint8)))
    expected_loss, expected = model.value_and_grad(rounded, Batch(np.array(x, np.float64), batch.y))
    assert loss.dtype == model_dtype
    assert np.isclose(loss, expected_loss, rtol=1e-6)
    assert all(np.allclose(gradients[name], expected[name], rtol=1e-5, atol=1e-7) for name in expected)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64"])
def test_from_numpy_and_back_keeps_dtype_and_bits_and_is_a_copy(dtype: str, users_x64: bool) -> None:
    array = (200 * np.random.default_rng(1).random((3, 2))).astype(dtype)
    original = array.copy()
    there = backend.from_numpy(array)
    array[:] = 0
    back = backend.to_numpy(there)
    assert back.dtype == dtype
    assert np.array_equal(back, original)
    back[:] = 1
    assert np.array_equal(backend.to_numpy(there), original)
    assert x64() == users_x64


def test_a_numpy_batch_may_be_overwritten_as_soon_as_the_call_returns() -> None:
    n, features, alignment = 4000, 1000, 64  # bytes: NumPy memory so aligned is read in place
    memory = np.zeros(n * features + alignment // 4, np.float32)
    offset = -memory.ctypes.data % alignment // 4
    x = memory[offset : offset + n * features].reshape(n, features)
    spec = SoftmaxRegression(features, classes=3)
    params = {"W": np.ones((features, 3)), "b": np.zeros(3)}
    model = backend.model(spec)
    model.predict(params, x)
    for value in (1, 2, 3):
        x[:] = value
        logits = model.predict(params, x)
        x[:] = 0
        assert np.all(np.array(logits) == value * features)


def test_no_call_changes_its_inputs() -> None:
    params, batch = draw()
    before = [array.copy() for array in (*params.values(), batch.x, batch.y)]
    model = backend.model(SPEC, "float64")
    model.loss(params, batch)
    model.value_and_grad(params, batch)
    model.trace(params, batch)
    model.predict(params, batch.x)
    step = model.train_step(backend.optimizer("sgd", lr=1.0))
    backend.wait(step(step.start(params), batch))
    assert all(np.array_equal(a, b) for a, b in zip(before, (*params.values(), batch.x, batch.y), strict=True))


def test_a_trace_lists_its_values_in_the_order_of_the_forward_pass() -> None:
    spec = MLP()
    rng = np.random.default_rng(0)
    values = backend.model(spec).trace(spec.init(rng), spec.example_batch(rng, 3)).values
    assert list(values) == ["z1", "a1", "z2", "a2", "z3", "a3", "loss"]


def test_the_backend_says_what_it_is() -> None:
    as_protocol: Backend = backend
    assert (as_protocol.name, as_protocol.library, as_protocol.differentiation) == ("jax", "jax", "machine")
    assert backend.model(SPEC).derivation is None


@pytest.mark.parametrize(
    ("name", "hyperparameters", "message"),
    [
        ("adm", {"lr": 0.1}, "unknown optimizer 'adm'.*did you mean 'adam'"),
        ("sgd", {"lr": 0.1, "decay": 0.9}, "unknown hyperparameter of optimizer 'sgd' 'decay': there is .*lr"),
        ("adam", {"lr": 0.1, "beta": 0.9}, "did you mean 'beta[12]'"),
        ("momentum", {"momentum": 0.9}, "'momentum' needs a learning rate"),
    ],
)
def test_an_unusable_optimizer_is_refused_in_one_line(
    name: str, hyperparameters: dict[str, float], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        backend.optimizer(name, **hyperparameters)
    assert "\n" not in str(raised.value)


def test_what_is_compiled_is_freed_and_compiled_again_when_it_is_needed() -> None:
    model = backend.model(SoftmaxRegression(), "float64")
    rng = np.random.default_rng(0)
    params, batch = model.spec.init(rng), model.spec.example_batch(rng, 4)
    before = np.asarray(model.loss(params, batch))
    assert isinstance(backend, KeepsPrograms)
    backend.forget()
    assert np.asarray(model.loss(params, batch)) == before
