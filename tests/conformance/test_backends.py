"""What every registered backend must do, a third party's as well: run against all that are installed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression, specs
from gradparity.protocol import Backend, Batch, Dtype, Examples, Model, ModelSpec, TrainStep
from gradparity.spec_traits import KeepsStatistics, PredictsNextTokens
from gradparity.testing import BackendConformance

SPECS: dict[str, ModelSpec] = {
    f"{name}, {variant}" if variant else name: spec
    for name, cls in specs().items()
    for variant, spec in cls.variants().items()
}
DTYPES: tuple[Dtype, ...] = ("float32", "float64")
N = 11


COMPILES_FOR_SECONDS = ("torch-compile",)
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in COMPILES_FOR_SECONDS else n for n in registry.names()]


@pytest.fixture(params=NAMES)
def backend(request: pytest.FixtureRequest) -> Backend:
    found = registry.availability(request.param)
    if found.backend is None:
        pytest.skip(f"{found.problem}: {found.install}")
    return found.backend


FIRST = [next(iter(cls.variants().values())) for cls in specs().values()]
IN_BOTH_DTYPES = ("softmax_regression", "mlp, relu")


def setting(name: str, dtype: Dtype) -> Any:
    """Every variant in every precision is a test; the quick ones have each model once, and two models in both.

    With pytest --dist loadgroup a setting stays on one worker, so that it is compiled once.
    """
    quick = SPECS[name] in FIRST and (dtype == "float64" or name in IN_BOTH_DTYPES)
    marks = [pytest.mark.xdist_group(f"{name}, {dtype}"), *([] if quick else [pytest.mark.slow])]
    return pytest.param((SPECS[name], dtype), id=f"{name}, {dtype}", marks=marks)


@pytest.fixture(params=[setting(name, dtype) for name in SPECS for dtype in DTYPES])
def model(request: pytest.FixtureRequest, backend: Backend) -> Model:
    return model_of(backend, *request.param)


MODELS: dict[tuple[str, str, Dtype], Model] = {}


def model_of(backend: Backend, spec: ModelSpec, dtype: Dtype) -> Model:
    """One model for all tests: what it has compiled, it need not compile again."""
    key = backend.name, repr(spec), dtype
    if key not in MODELS:
        MODELS[key] = backend.model(spec, dtype)
    return MODELS[key]


def draw(spec: ModelSpec, n: int = N) -> tuple[dict[str, np.ndarray], Batch]:
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return params, spec.example_batch(rng, n)


def start(backend: Backend, spec: ModelSpec, optimizer: str = "sgd") -> tuple[TrainStep, object]:
    step = model_of(backend, spec, "float64").train_step(backend.optimizer(optimizer, lr=0.05))
    return step, step.start(draw(spec)[0])


class TestEveryBackend(BackendConformance):
    """What the author of a backend runs, on each that is registered: ``backend`` and ``model`` are those above."""


def test_takes_a_batch_of_one(backend: Backend, model: Model) -> None:
    params, batch = draw(model.spec, n=1)
    if getattr(model.spec, "norm", "") == "batch":
        with pytest.raises(UsageError, match=r"batch norm needs at least 2 numbers in each channel"):
            model.value_and_grad(params, batch)
        return
    loss, gradients = model.value_and_grad(params, batch)
    assert np.isfinite(backend.to_numpy(loss))
    assert all(np.isfinite(backend.to_numpy(g)).all() for g in gradients.values())


def test_predicts_a_row_per_example_as_numpy_does(backend: Backend, model: Model) -> None:
    params, batch = draw(model.spec)
    if isinstance(model.spec, KeepsStatistics):
        params |= {name: rising(a) for name, a in model.spec.statistics.items()}
    outputs = backend.to_numpy(model.predict(params, batch.x, batch.extras))
    expected = model_of(registry.backend("numpy"), model.spec, "float64").predict(params, batch.x, batch.extras)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3 if model.dtype == "float32" else 1e-10, atol=1e-4)
    if isinstance(model.spec, PredictsNextTokens):
        assert outputs.shape == (*batch.y.shape, model.spec.vocabulary)
    else:
        assert outputs.shape == (N, list(model.spec.param_shapes.values())[-1][0])
    assert outputs.dtype == model.dtype


def rising(a: np.ndarray) -> np.ndarray:
    """Statistics as after some training, all of them different and positive."""
    return np.arange(1.0, a.size + 1).reshape(a.shape)


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_huge_logits_give_finite_loss_and_gradients(backend: Backend, scale: float) -> None:
    spec = SoftmaxRegression()
    params, batch = draw(spec)
    params = {"W": np.sign(params["W"]) * scale, "b": params["b"] * scale}
    for dtype in DTYPES:
        loss, gradients = backend.model(spec, dtype).value_and_grad(params, batch)
        assert np.isfinite(backend.to_numpy(loss))
        assert all(np.isfinite(backend.to_numpy(g)).all() for g in gradients.values())


def test_an_epoch_is_its_steps_one_by_one(backend: Backend) -> None:
    spec = MLP()
    x = np.random.default_rng(0).integers(0, 256, (23, 7), dtype=np.uint8)
    examples = Examples(x, np.arange(23) % 5, 255.0)
    order = np.random.default_rng(1).permutation(23)
    step, state = start(backend, spec)
    state, losses = step.epoch(state, step.load(examples), order, 6)

    one_by_one, other = start(backend, spec)
    singly = []
    for begin in range(0, 23, 6):
        other, loss = one_by_one(other, examples.batch(order[begin : begin + 6], "float64"))
        singly.append(float(backend.to_numpy(loss)))
    np.testing.assert_allclose(losses, singly, rtol=1e-12)
    ended, expected = step.params(state), one_by_one.params(other)
    for name in spec.param_shapes:
        np.testing.assert_allclose(backend.to_numpy(ended[name]), backend.to_numpy(expected[name]), rtol=1e-11)


def test_pixels_become_the_same_floats_as_in_numpy(backend: Backend) -> None:
    """One step on a linear model with squared error shows the pixels: its weights move by them."""
    spec = MLP(widths=(256, 1), loss="squared_error", reduction="half-sum")
    examples = Examples(np.arange(256, dtype=np.uint8)[None], np.full((1, 1), -1.0), 255.0)
    step = backend.model(spec, "float32").train_step(backend.optimizer("sgd", lr=1.0))
    zeros = {name: np.zeros(shape) for name, shape in spec.param_shapes.items()}
    state, _ = step.epoch(step.start(zeros), step.load(examples), np.arange(1), 1)
    pixels = np.arange(256, dtype=np.float32) / np.float32(255)
    np.testing.assert_array_equal(backend.to_numpy(step.params(state)["W1"])[:, 0], -pixels)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_every_optimizer_takes_the_same_steps_everywhere(backend: Backend, optimizer: str) -> None:
    def train(one: Backend) -> dict[str, np.ndarray]:
        spec = SPECS["mlp, relu"]
        step, state = start(one, spec, optimizer)
        for seed in range(5):
            state, _ = step(state, spec.example_batch(np.random.default_rng(seed), N))
        return {name: one.to_numpy(p) for name, p in step.params(state).items()}

    expected = train(registry.backend("numpy"))
    for name, p in train(backend).items():
        np.testing.assert_allclose(p, expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda b: b.optimizer("sdg", lr=0.1), "unknown optimizer 'sdg'.*did you mean 'sgd'"),
        (lambda b: b.optimizer("sgd"), "lr"),
        (lambda b: b.optimizer("sgd", lr=0.1, momentun=0.9), "momentun"),
        (lambda b: b.model(Nameless()), "no_such_model"),
    ],
)
def test_refuses_what_it_does_not_know(backend: Backend, wrong: Callable[[Backend], object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wrong(backend)


class Nameless:
    """A spec that no backend has."""

    name = "no_such_model"
    param_shapes = {"W": (2, 3)}  # noqa: RUF012
    derivation = ()

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"W": rng.normal(size=(2, 3))}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        return Batch(rng.normal(size=(n, 2)), rng.integers(3, size=n))

    def flops(self, n: int) -> int:
        return 12 * n
