"""The one final model and step: over a third party's few members, and over whole numbers, extras and statistics."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from tests.plugins import register

from gradparity import registry
from gradparity.data import load
from gradparity.errors import UsageError
from gradparity.model import RuntimeBackend
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Array, Batch, Examples, HandDerivation, Line, Params
from gradparity.runtime import ModelFunctions, RunsEpochs
from gradparity.spec_traits import KeepsStatistics
from gradparity.subjects import specs
from gradparity.training import Settings, train

BACKENDS = ["numpy", "jax", "torch", "jax-manual", "torch-manual", "numpy-autograd"]
COMPILED = pytest.param("torch-compile", marks=pytest.mark.slow)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RuntimeBackend:
    """The backend of ``third_party.py``, installed as a distribution of its own."""
    shutil.copy(Path(__file__).with_name("third_party.py"), tmp_path / "gradparity_mine.py")
    register(tmp_path, "mine", "gradparity.backends", mine="gradparity_mine:backend")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = registry.backend("mine")
    assert isinstance(found, RuntimeBackend)
    return found


@pytest.mark.usefixtures("mine")
def test_a_third_partys_eight_members_are_checked() -> None:
    report = specs.check(MLP(widths=(4, 3, 2), activation="tanh"), backends=["numpy", "mine"], n=5)
    assert "mine" in report.witnesses
    assert not report.disagreements
    assert {"W1", "b1", "W2", "b2"} <= {row.line for row in report.rows if row.witness == "mine"}


def test_a_third_partys_eight_members_train(mine: RuntimeBackend) -> None:
    spec, digits = SoftmaxRegression(features=64, classes=10), load("digits")
    few = replace(digits, train=replace(digits.train, x=digits.train.x[:12], y=digits.train.y[:12]))
    settings = Settings(epochs=2, batch_size=8, dtype="float64")
    assert not isinstance(mine.runtime, RunsEpochs)
    own, expected = (list(train(b, spec, few, settings))[-1] for b in (mine, registry.backend("numpy")))
    assert own.accuracy == expected.accuracy
    np.testing.assert_allclose(own.loss, expected.loss, rtol=1e-12)
    for name, value in own.params.items():
        np.testing.assert_allclose(value, expected.params[name], rtol=1e-12, atol=1e-14)


def test_what_a_third_party_leaves_out_is_derived_or_refused_in_one_line(mine: RuntimeBackend) -> None:
    spec = SoftmaxRegression(features=3, classes=2)
    rng = np.random.default_rng(0)
    params, batch = spec.init(rng), spec.example_batch(rng, 4)
    model = replace(mine, functions=lambda spec: ModelFunctions(mine.functions(spec).value_and_grad)).model(
        spec, "float64"
    )
    loss, gradients = model.value_and_grad(params, batch)
    trace = model.trace(params, batch)
    assert model.loss(params, batch) == loss == trace.values["loss"]
    assert trace.gradients["loss"] == 1
    assert all(np.array_equal(trace.gradients[name], gradient) for name, gradient in gradients.items())
    assert (model.operations(params, batch), model.derivation) == ({}, None)
    with pytest.raises(UsageError, match="softmax_regression: this model has no predict"):
        model.predict(params, batch.x)
    with pytest.raises(UsageError, match=r"this backend tells no named values.*updated from mean"):
        replace(model, spec=Tokens()).train_step(mine.optimizer("sgd", lr=0.1))


@dataclass(frozen=True)
class Tokens:
    """Masked sums of embedded tokens, centred over the batch, and a linear output.

    The mean is a statistic: prediction uses the running one.
    """

    words: int = 7
    width: int = 3
    name: str = "tokens"
    derivation: tuple[Line, ...] = ()

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"table": (self.words, self.width), "w": (self.width,)}

    @property
    def hand(self) -> HandDerivation:
        return HandDerivation(_forward, _backward)

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        return {"running": np.zeros(self.width)}

    @property
    def observed(self) -> tuple[str, ...]:
        return ("mean",)

    @property
    def prediction_extras(self) -> tuple[str, ...]:
        return ("mask",)

    def update(self, statistics: Params, values: Params) -> dict[str, Array]:
        return {"running": 0.75 * statistics["running"] + 0.25 * values["mean"]}

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {name: rng.normal(size=shape) for name, shape in self.param_shapes.items()}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        mask = rng.random((n, 4)) + 0.5
        return Batch(rng.integers(self.words, size=(n, 4)), rng.normal(size=n), {"mask": mask})

    def flops(self, n: int) -> int:
        return 20 * n * self.width


def _sums(p: Params, x: Array, mask: Array) -> Array:
    return (p["table"][x] * mask[:, :, None]).sum(axis=1)


def _forward(p: Params, batch: Batch, c: Any) -> None:
    c["sum"] = _sums(p, batch.x, batch.extras["mask"])
    c["mean"] = c["sum"].mean(axis=0)
    c["centred"] = c["sum"] - c["mean"]
    c["output"] = c["centred"] @ p["w"]
    c["loss"] = ((c["output"] - batch.y) ** 2).mean()


def _backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    xp, n, width = array_namespace(p["table"]), batch.x.shape[0], p["w"].shape[0]
    d["output"] = d["loss"] * 2 / n * (c["output"] - batch.y)
    d["w"] = c["centred"].T @ d["output"]
    d["centred"] = d["output"][:, None] * p["w"]
    d["mean"] = -d["centred"].sum(axis=0)
    d["sum"] = d["centred"] + d["mean"] / n
    embedded = d["sum"][:, None, :] * batch.extras["mask"][:, :, None]
    hot = xp.astype(batch.x.reshape(-1)[:, None] == xp.arange(p["table"].shape[0]), p["table"].dtype)
    d["table"] = hot.T @ embedded.reshape((-1, width))


def _predict(params: Params, x: Array, extras: Params) -> Array:
    return (_sums(params, x, extras["mask"]) - params["running"]) @ params["w"]


@pytest.fixture(params=[*BACKENDS, COMPILED])
def backend(request: pytest.FixtureRequest) -> RuntimeBackend:
    found = registry.backend(request.param)
    assert isinstance(found, RuntimeBackend)
    functions: Callable[..., ModelFunctions] = found.functions
    return replace(found, functions=lambda spec: functions(spec)._replace(predict=_predict))


def tokens(n: int) -> Examples:
    x, y, extras = Tokens().example_batch(np.random.default_rng(2), n)
    return Examples(x, y, extras=extras)


def test_tokens_masks_and_a_statistic_agree_on_every_library() -> None:
    report = specs.check(Tokens(), backends=BACKENDS, n=6)
    assert set(report.backends) >= set(BACKENDS)
    assert not report.disagreements


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_updates_parameters_and_statistics_and_counts(backend: RuntimeBackend, dtype: Any) -> None:
    spec, rng = Tokens(), np.random.default_rng(1)
    params, data = spec.init(rng), tokens(6)
    model = backend.model(spec, dtype)
    assert isinstance(spec, KeepsStatistics)
    step = model.train_step(backend.optimizer("momentum", lr=0.05))
    state = step.start(params)
    running = np.zeros(spec.width)
    for taken in range(1, 4):
        now = {name: backend.to_numpy(value).astype(float) for name, value in step.params(state).items()}
        batch = data.batch(slice(None), dtype)
        running = 0.75 * running + 0.25 * _sums(now, batch.x, data.extras["mask"]).mean(axis=0)
        expected = model.loss(now, batch)
        state, loss = step(state, batch)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        assert int(state.step) == taken
    after = {name: backend.to_numpy(value) for name, value in step.params(state).items()}
    np.testing.assert_allclose(after["running"], running, rtol=1e-5)
    assert {str(value.dtype) for value in after.values()} == {dtype}
    assert not np.allclose(after["table"], params["table"])
    predicted = model.predict(after, data.x, data.extras)
    np.testing.assert_allclose(predicted, _predict(after, data.x, data.extras), rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="predict needs the batch's extra 'mask', got none"):
        model.predict(after, data.x)


def test_an_epoch_of_tokens_is_its_steps_one_by_one_and_goes_on_where_it_was(backend: RuntimeBackend) -> None:
    spec, data = Tokens(), tokens(11)
    order = np.random.default_rng(3).permutation(11)
    step = backend.model(spec, "float64").train_step(backend.optimizer("sgd", lr=0.05))
    params = spec.init(np.random.default_rng(1))
    state, losses = step.epoch(step.start(params), step.load(data), order, 4)
    # A training that is taken up from what a state gave goes on with its statistics.
    one_by_one = step.start(params)
    for begin, expected in zip((0, 4, 8), losses, strict=True):
        one_by_one = step.start({name: backend.to_numpy(value) for name, value in step.params(one_by_one).items()})
        one_by_one, loss = step(one_by_one, data.batch(order[begin : begin + 4], "float64"))
        np.testing.assert_allclose(loss, expected, rtol=1e-12)
    ours, theirs = step.params(state), step.params(one_by_one)
    assert set(ours) == {"table", "w", "running"}
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-12, atol=1e-14)


def test_an_image_becomes_float_batch_by_batch_and_a_token_never() -> None:
    images = Examples(np.arange(6, dtype=np.uint8).reshape(2, 3), np.arange(2), 255.0)
    assert images.batch(slice(None), "float32").x.dtype == np.float32
    assert tokens(3).batch(slice(None), "float32").x.dtype == np.int64
    assert tokens(3).batch(slice(None), "float32").extras["mask"].dtype == np.float32
