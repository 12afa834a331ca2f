from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.written import Written

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, HandWrittenSpec, Model, Params, Trace
from gradparity_torch import backend
from gradparity_torch.autodiff import functions

X = np.array([[1.0, 2.0], [-3.0, 0.5], [0.25, -1.0]])
PARAMS = {"w": np.array([0.5, -2.0]), "unused": np.array([[3.0, 4.0]])}
SHAPES = {name: value.shape for name, value in PARAMS.items()}
BATCH = Batch(X, np.array([1.0, 2.0, 4.0]))


def model(forward: Callable[..., None]) -> Model:
    return backend.model(Written(forward, SHAPES), "float64")


def trace(forward: Callable[..., None]) -> Trace:
    return model(forward).trace(PARAMS, BATCH)


def least_squares(p: Params, batch: Batch, c: Any) -> None:
    c["prediction"] = batch.x @ p["w"]
    c["residual"] = c["prediction"] - batch.y
    c["loss"] = (c["residual"] ** 2).sum()


def test_a_hand_written_forward_is_differentiated_through_its_cache() -> None:
    assert isinstance(Written(least_squares, SHAPES), HandWrittenSpec)
    found = trace(least_squares)
    residual = X @ PARAMS["w"] - BATCH.y
    assert list(found.values) == ["prediction", "residual", "loss"]
    np.testing.assert_allclose(found.values["residual"], residual)
    np.testing.assert_allclose(found.values["loss"], residual @ residual)
    np.testing.assert_allclose(found.gradients["prediction"], 2 * residual)
    np.testing.assert_allclose(found.gradients["residual"], 2 * residual)
    np.testing.assert_allclose(found.gradients["w"], X.T @ (2 * residual))
    assert found.gradients["loss"] == 1


def test_value_and_grad_and_loss_of_a_hand_written_model_agree_with_its_trace() -> None:
    loss, gradients = model(least_squares).value_and_grad(PARAMS, BATCH)
    found = trace(least_squares)
    assert float(loss) == found.values["loss"] == float(model(least_squares).loss(PARAMS, BATCH))
    np.testing.assert_array_equal(gradients["w"], found.gradients["w"])


def test_a_parameter_that_the_loss_does_not_depend_on_has_gradient_zero() -> None:
    _, gradients = model(least_squares).value_and_grad(PARAMS, BATCH)
    for zero in (gradients["unused"].numpy(), trace(least_squares).gradients["unused"]):
        np.testing.assert_array_equal(zero, np.zeros((1, 2)))


def test_an_intermediate_that_the_loss_does_not_depend_on_has_gradient_zero() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["side"] = p["unused"] * 2
        least_squares(p, batch, c)

    np.testing.assert_array_equal(trace(forward).gradients["side"], np.zeros((1, 2)))


def test_a_loss_of_no_parameter_has_gradients_zero() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["loss"] = batch.y.sum() + 0 * p["w"].detach().sum()

    loss, gradients = model(forward).value_and_grad(PARAMS, BATCH)
    assert float(loss) == 7
    assert all(not gradient.any() for gradient in gradients.values())
    assert trace(forward).gradients["loss"] == 1


def test_two_names_of_one_tensor_have_a_gradient_each() -> None:
    """L = Σ z² + 3 Σ a with a = z: each name gets what flows through it alone, and z what flows through a as well."""

    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["z"] = batch.x @ p["w"]
        c["a"] = c["z"]
        c["loss"] = (c["z"] ** 2).sum() + 3 * c["a"].sum()

    found = trace(forward)
    np.testing.assert_allclose(found.gradients["a"], [3, 3, 3])
    np.testing.assert_allclose(found.gradients["z"], 2 * (X @ PARAMS["w"]) + 3)


def test_a_name_of_a_parameter_has_a_gradient_of_its_own() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["weights"] = p["w"]
        c["loss"] = 5 * c["weights"].sum() + (p["w"] * p["w"]).sum() + batch.y.sum()

    found = trace(forward)
    np.testing.assert_allclose(found.gradients["weights"], [5, 5])
    np.testing.assert_allclose(found.gradients["w"], 5 + 2 * PARAMS["w"])


def test_a_value_used_without_reading_the_cache_still_has_its_gradient() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        z = batch.x @ p["w"]
        c["z"] = z
        c["loss"] = (z**2).sum()

    np.testing.assert_allclose(trace(forward).gradients["z"], 2 * (X @ PARAMS["w"]))


def test_a_value_changed_in_place_after_it_was_named_is_the_value_that_was_named() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        z = batch.x @ p["w"]
        c["z"] = z
        z *= 10
        c["loss"] = z.sum()

    found = trace(forward)
    np.testing.assert_allclose(found.values["z"], X @ PARAMS["w"])
    np.testing.assert_allclose(found.gradients["z"], [10, 10, 10])


def test_a_value_of_the_inputs_alone_has_its_gradient() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        centred = batch.x - batch.x.mean(0)
        c["centred"] = centred
        c["loss"] = (centred @ p["w"]).sum()

    np.testing.assert_allclose(trace(forward).gradients["centred"], np.tile(PARAMS["w"], (3, 1)))


def test_a_constant_that_is_read_back_has_its_gradient() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["scale"] = torch.full((), 3.0, dtype=batch.x.dtype)
        c["loss"] = c["scale"] * p["w"].sum()

    assert trace(forward).gradients["scale"] == pytest.approx(PARAMS["w"].sum())


def test_whole_numbers_and_truth_values_have_no_gradient() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["z"] = batch.x @ p["w"]
        c["mask"] = c["z"] > 0
        c["largest"] = c["z"].argmax()
        c["loss"] = (c["z"] * c["mask"]).sum()

    found = trace(forward)
    np.testing.assert_array_equal(found.values["mask"], X @ PARAMS["w"] > 0)
    assert found.values["mask"].dtype == bool
    assert not {"mask", "largest"} & found.gradients.keys()
    np.testing.assert_array_equal(found.gradients["z"], found.values["mask"])


def test_works_while_the_caller_has_gradients_off() -> None:
    with torch.no_grad():
        _, gradients = model(least_squares).value_and_grad(PARAMS, BATCH)
    np.testing.assert_allclose(gradients["w"], trace(least_squares).gradients["w"])


def test_never_touches_the_grad_of_the_tensors_it_is_given() -> None:
    spec = SoftmaxRegression()
    batch = spec.example_batch(np.random.default_rng(0), 4)
    params = {name: torch.ones(shape, requires_grad=True) for name, shape in spec.param_shapes.items()}
    torch_model = backend.model(spec)
    torch_model.value_and_grad(params, batch)
    torch_model.trace(params, batch)
    assert all(p.grad is None and p.requires_grad for p in params.values())


def test_a_machine_has_no_derivation() -> None:
    assert functions(MLP()).derivation is None


def misspelt(p: Params, batch: Batch, c: Any) -> None:
    c["los"] = (batch.x @ p["w"]).sum()


def vector(p: Params, batch: Batch, c: Any) -> None:
    c["loss"] = batch.x @ p["w"]


def number(p: Params, batch: Batch, c: Any) -> None:
    c["n"] = len(batch.x)
    c["loss"] = (batch.x @ p["w"]).sum() / c["n"]


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (misspelt, r"^written: forward must write a scalar array to c\['loss'\], got nothing: .*$"),
        (vector, r"^written: forward must write a scalar array to c\['loss'\], got shape \(3,\): .*$"),
        (number, r"^c\['n'\] must be an array, got int: keep numbers in local variables$"),
    ],
)
def test_says_in_one_line_what_is_wrong_with_a_forward(forward: Callable[..., None], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        trace(forward)


def test_a_hand_written_model_has_no_predict() -> None:
    with pytest.raises(UsageError, match=r"^written: this model has no predict"):
        model(least_squares).predict(PARAMS, X)


def test_refuses_an_unknown_model() -> None:
    class Unknown(MLP):
        @property
        def name(self) -> str:
            return "mpl"

    with pytest.raises(UsageError, match=r"^unknown model of backend 'torch' 'mpl': .*; did you mean 'mlp'\?$"):
        backend.model(Unknown())
