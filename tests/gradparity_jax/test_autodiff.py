"""The machine's gradients, against finite differences, and a trace's contract."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from array_api_compat import array_namespace
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression, module_of
from gradparity.protocol import Batch, HandDerivation, HandWrittenSpec, Line, ModelSpec, Params, Tap
from gradparity_jax import autodiff, backend

SPECS: dict[str, ModelSpec] = {
    "softmax": SoftmaxRegression(),
    "softmax-decayed": SoftmaxRegression(weight_decay=0.3),
    "relu-identity": MLP(activation="relu", output_activation="identity"),
    "tanh-sigmoid": MLP(activation="tanh", output_activation="sigmoid", reduction="sum"),
    "sigmoid-tanh": MLP(activation="sigmoid", output_activation="tanh", loss="squared_error"),
    "identity-relu": MLP(activation="identity", output_activation="relu", loss="squared_error", reduction="sum"),
    "one-layer": MLP(widths=(5, 3), loss="squared_error", reduction="half-sum"),
}
"""Every activation, output activation, loss and reduction at least once."""


def draw(spec: ModelSpec, n: int, seed: int = 7) -> tuple[dict[str, np.ndarray], Batch]:
    """Parameters without zeros, and a batch."""
    rng = np.random.default_rng(seed)
    params = {name: 0.5 * rng.normal(size=shape) for name, shape in spec.param_shapes.items()}
    return params, spec.example_batch(rng, n)


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """Norm-wise: ‖a − b‖ / ‖b‖."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def central_differences(spec: ModelSpec, params: Params, batch: Batch, shapes: dict[str, Any]) -> dict[str, Any]:
    """dL/d(name) for every name, without autodiff: each entry of each name is moved up and down by h."""
    h = 1e-5
    with jax.enable_x64(True):
        zeros, unravel = ravel_pytree({name: jnp.zeros(shape) for name, shape in shapes.items()})

        def loss(flat: Any) -> Any:
            offset = unravel(flat)
            moved = {name: jnp.asarray(value) + offset[name] for name, value in params.items()}
            return module_of(spec, "gradparity_jax").loss(spec, moved, batch, lambda name, value: value + offset[name])

        steps = h * jnp.eye(len(zeros))
        losses = jax.jit(jax.vmap(loss))(jnp.concatenate([steps, -steps]))
        up, down = losses[: len(zeros)], losses[len(zeros) :]
        return {name: np.array(value) for name, value in unravel((up - down) / (2 * h)).items()}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_traced_gradient_agrees_with_central_differences(spec: ModelSpec) -> None:
    params, batch = draw(spec, n=4)
    gradients = backend.model(spec, "float64").trace(params, batch).gradients
    shapes = {name: gradient.shape for name, gradient in gradients.items()}
    expected = central_differences(spec, params, batch, shapes)
    errors = {name: relative_error(gradients[name], expected[name]) for name in expected}
    assert max(errors.values()) < 1e-7, errors


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_taps_name_exactly_the_lines_of_the_derivation_in_order(spec: ModelSpec) -> None:
    params, batch = draw(spec, n=3)
    trace = autodiff.functions(spec).trace
    assert trace is not None
    values, gradients = jax.eval_shape(trace, params, batch)
    assert list(values) == [line.name for line in spec.derivation if line.forward]
    assert set(gradients) == {line.name for line in spec.derivation}
    assert all(gradients[name].shape == value.shape for name, value in values.items())


@pytest.mark.parametrize("spec", [SPECS["softmax-decayed"], SPECS["sigmoid-tanh"]])
def test_trace_under_jit_equals_eager_trace(spec: ModelSpec) -> None:
    params, batch = draw(spec, n=4)
    trace = autodiff.functions(spec).trace
    assert trace is not None
    with jax.enable_x64(True):
        arrays = jax.tree.map(jnp.asarray, (params, batch))
        eager, jitted = trace(*arrays), jax.jit(trace)(*arrays)
    for eagerly, compiled in zip(eager, jitted, strict=True):
        assert set(eagerly) == set(compiled)
        assert all(np.allclose(eagerly[name], compiled[name], rtol=1e-13, atol=1e-15) for name in eagerly)


def test_trace_takes_the_products_of_one_forward_and_one_backward_pass() -> None:
    spec = MLP(widths=(7, 6, 5))
    params, batch = draw(spec, n=4)
    model = autodiff.functions(spec)

    def products(function: Any) -> int:
        return str(jax.make_jaxpr(function)(params, batch)).count("dot_general")

    assert products(model.trace) == products(model.value_and_grad) == 2 + 3


@settings(max_examples=6, deadline=None)
@given(n=st.integers(1, 9), features=st.integers(1, 8), classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_the_parameter_gradients_follow_from_the_logits_gradient_for_all_shapes(
    n: int, features: int, classes: int, seed: int
) -> None:
    spec = SoftmaxRegression(features, classes)
    params, batch = draw(spec, n, seed)
    gradients = backend.model(spec, "float64").trace(params, batch).gradients
    assert np.allclose(gradients["W"], batch.x.T @ gradients["logits"], rtol=1e-12, atol=1e-14)
    assert np.allclose(gradients["b"], gradients["logits"].sum(axis=0), rtol=1e-12, atol=1e-14)
    assert np.allclose(gradients["logits"].sum(axis=1), 0, atol=1e-15)
    assert gradients["loss"] == 1


@settings(max_examples=6, deadline=None)
@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=4), n=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_gradient_predicts_the_change_of_the_loss_for_all_shapes(widths: list[int], n: int, seed: int) -> None:
    spec = MLP(tuple(widths), activation="tanh", loss="squared_error")
    params, batch = draw(spec, n, seed)
    model = backend.model(spec, "float64")
    gradients = model.value_and_grad(params, batch)[1]
    assert {name: gradient.shape for name, gradient in gradients.items()} == spec.param_shapes
    direction = draw(spec, n, seed + 1)[0]
    h = 1e-5
    up, down = (
        float(model.loss({name: value + sign * direction[name] for name, value in params.items()}, batch))
        for sign in (h, -h)
    )
    predicted = sum(float(np.sum(np.array(gradients[name]) * direction[name])) for name in params)
    assert abs((up - down) / (2 * h) - predicted) < 1e-6 * (1 + abs(predicted))


@dataclass(frozen=True)
class OwnModel:
    """A user's own model, (1/n) Σ max(xw, 0)², with its derivation."""

    hand: HandDerivation
    name: str = "own"

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """One weight per feature."""
        return {"w": (3,)}

    @property
    def derivation(self) -> tuple[Line, ...]:
        """Not read by a machine backend."""
        return ()

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Standard normal."""
        return {"w": rng.normal(size=3)}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Standard normal x; y is not used."""
        return Batch(rng.normal(size=(n, 3)), rng.normal(size=(n, 1)))

    def flops(self, n: int) -> int:
        """Three products."""
        return 12 * n


def forward(p: Params, batch: Batch, c: Any) -> None:
    """Names a value that it reads again, and a mask, which has no gradient."""
    xp = array_namespace(batch.x)
    c["s"] = batch.x @ p["w"]
    c["mask"] = c["s"] > 0
    c["r"] = xp.where(c["mask"], c["s"], xp.zeros_like(c["s"]))
    c["loss"] = xp.mean(c["r"] ** 2)


def own_model(own_forward: Any) -> OwnModel:
    return OwnModel(HandDerivation(own_forward, lambda *_: None))


def test_a_hand_written_forward_is_differentiated_through_its_cache() -> None:
    spec: HandWrittenSpec = own_model(forward)
    rng = np.random.default_rng(3)
    params, batch = spec.init(rng), spec.example_batch(rng, 6)
    model = backend.model(spec, "float64")
    trace = model.trace(params, batch)
    s = batch.x @ params["w"]
    dr = 2 * np.maximum(s, 0) / 6
    assert 0 < (s > 0).sum() < 6
    assert list(trace.values) == ["s", "mask", "r", "loss"]
    assert set(trace.gradients) == {"s", "r", "loss", "w"}
    assert np.allclose(trace.gradients["r"], dr, rtol=1e-14)
    assert np.allclose(trace.gradients["s"], dr * (s > 0), rtol=1e-14)
    assert np.allclose(trace.gradients["w"], batch.x.T @ dr, rtol=1e-13)
    loss, gradients = model.value_and_grad(params, batch)
    assert np.isclose(loss, np.mean(np.maximum(s, 0) ** 2), rtol=1e-14)
    assert np.allclose(gradients["w"], trace.gradients["w"], rtol=1e-13)


def test_a_forward_that_goes_on_with_its_own_variables_has_the_same_gradients() -> None:
    def with_variables(p: Params, batch: Batch, c: Any) -> None:
        s = c["s"] = batch.x @ p["w"]
        c["same"] = c["s"]
        r = c["r"] = s * (s > 0)
        c["loss"] = (r**2).mean() + 0 * c["same"].sum()

    rng = np.random.default_rng(3)
    params, batch = own_model(forward).init(rng), own_model(forward).example_batch(rng, 6)
    expected = backend.model(own_model(forward), "float64").trace(params, batch).gradients
    gradients = backend.model(own_model(with_variables), "float64").trace(params, batch).gradients
    for name in ("s", "r", "w"):
        assert np.allclose(gradients[name], expected[name], rtol=1e-13)
    assert not gradients["same"].any()


def write_twice(p: Params, batch: Batch, c: Any) -> None:
    c["loss"] = (batch.x @ p["w"]).sum()
    c["loss"] = 2 * c["loss"]


def write_vector(p: Params, batch: Batch, c: Any) -> None:
    c["loss"] = batch.x @ p["w"]


def write_no_loss(p: Params, batch: Batch, c: Any) -> None:
    c["s"] = batch.x @ p["w"]


@pytest.mark.parametrize(
    ("own_forward", "message"),
    [
        (write_twice, r"c\['loss'\] is written twice"),
        (write_vector, r"own: forward must write a scalar array to c\['loss'\], got shape \(6,\)"),
        (write_no_loss, r"own: forward must write a scalar array to c\['loss'\], got nothing"),
    ],
)
def test_a_mistake_in_a_hand_written_forward_is_said_in_one_line(own_forward: Any, message: str) -> None:
    spec = own_model(own_forward)
    rng = np.random.default_rng(3)
    with pytest.raises(UsageError, match=message) as raised:
        backend.model(spec).trace(spec.init(rng), spec.example_batch(rng, 6))
    assert "\n" not in str(raised.value)


def test_a_hand_written_model_has_no_predict() -> None:
    spec = own_model(forward)
    rng = np.random.default_rng(3)
    with pytest.raises(UsageError, match="own: this model has no predict"):
        backend.model(spec).predict(spec.init(rng), spec.example_batch(rng, 6).x)


def test_an_unknown_model_is_refused_with_a_guess() -> None:
    @dataclass(frozen=True)
    class Misnamed(MLP):
        name: str = "mpl"

    with pytest.raises(UsageError, match=r"unknown model of backend 'jax' 'mpl'.*did you mean 'mlp'"):
        backend.model(Misnamed())


def test_a_tap_in_the_body_of_a_scan_tells_value_and_whole_gradient_of_every_pass() -> None:
    def loss(params: Params, batch: Batch, tap: Tap) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = tap("h", params["w"] * h + x)
            return h, h

        _, states = jax.lax.scan(step, jnp.zeros(()), batch.x)
        return tap("loss", jnp.sum(tap("states", states)))

    x = np.array([1.0, 2.0, 3.0])
    with jax.enable_x64(True):
        values, gradients = autodiff._trace(loss, {"w": jnp.asarray(0.5)}, Batch(jnp.asarray(x), jnp.zeros(3)))
    assert list(values) == ["h", "states", "loss"]
    np.testing.assert_allclose(values["h"], [1, 2.5, 4.25])
    np.testing.assert_allclose(gradients["h"], [1 + 0.5 * 1.5, 1.5, 1])
    np.testing.assert_allclose(gradients["states"], [1, 1, 1])
    np.testing.assert_allclose(gradients["w"], 1.5 * 1 + 2.5)
