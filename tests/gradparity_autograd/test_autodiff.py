from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from tests.written import Written

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import Batch, ModelSpec, Params, Trace
from gradparity.subjects.specs import check

pytest.importorskip("autograd", reason="autograd is not installed: pip install 'gradparity[autograd]'")

from gradparity_autograd import backend

X = np.array([[1.0, 2.0], [-3.0, 0.5], [0.25, -1.0]])
PARAMS = {"w": np.array([0.5, -2.0])}
BATCH = Batch(X, np.array([1.0, 2.0, 4.0]))
PREDICTION = X @ PARAMS["w"]


def trace(forward: Callable[..., None]) -> Trace:
    return backend.model(Written(forward), "float64").trace(PARAMS, BATCH)


def test_it_is_a_machine_on_numpy_arrays() -> None:
    found = registry.backend("numpy-autograd")
    assert (found.name, found.library, found.differentiation) == ("numpy-autograd", "numpy", "machine")


@pytest.mark.parametrize("spec", [SoftmaxRegression(weight_decay=0.1), MLP()])
def test_it_is_a_witness_where_it_is_chosen(spec: ModelSpec) -> None:
    report = check(spec, backends=["numpy", "numpy-autograd"], n=5, seed=0)
    assert "numpy-autograd" in report.witnesses
    assert not report.disagreements


def test_a_forward_may_go_on_with_a_variable_of_its_own() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        prediction = batch.x @ p["w"]
        c["prediction"] = prediction
        c["loss"] = (prediction**2).sum()

    found = trace(forward)
    assert list(found.values) == ["prediction", "loss"]
    np.testing.assert_allclose(found.gradients["prediction"], 2 * PREDICTION)
    np.testing.assert_allclose(found.gradients["w"], X.T @ (2 * PREDICTION))
    assert found.gradients["loss"] == 1


def test_two_names_of_one_array_have_a_gradient_each() -> None:
    """L = Σ z² + 3 Σ a with a = z: each name gets what flows through it alone, and z what flows through a as well."""

    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["z"] = batch.x @ p["w"]
        c["a"] = c["z"]
        c["loss"] = (c["z"] ** 2).sum() + 3 * c["a"].sum()

    found = trace(forward)
    np.testing.assert_allclose(found.gradients["a"], np.full(3, 3.0))
    np.testing.assert_allclose(found.gradients["z"], 2 * PREDICTION + 3)


def test_what_depends_on_the_inputs_alone_has_a_gradient_and_a_mask_has_none() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        xp = array_namespace(batch.x)
        c["squares"] = batch.x**2
        c["mask"] = batch.x > 0
        c["one"] = np.ones(2)
        c["unused"] = c["squares"] * 2
        c["loss"] = (xp.where(c["mask"], c["squares"], xp.zeros_like(c["squares"])) @ (p["w"] * c["one"])).sum()

    found = trace(forward)
    np.testing.assert_allclose(found.gradients["squares"], (X > 0) * PARAMS["w"])
    np.testing.assert_array_equal(found.gradients["unused"], np.zeros_like(X))
    np.testing.assert_allclose(found.gradients["one"], PARAMS["w"] * (X**2 * (X > 0)).sum(axis=0))
    np.testing.assert_array_equal(found.values["mask"], X > 0)
    assert "mask" not in found.gradients


def test_float32_stays_float32_though_autograd_computes_some_rules_in_float64() -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["top"] = array_namespace(batch.x).max(batch.x * p["w"], axis=1)
        c["loss"] = c["top"].mean()

    model = backend.model(Written(forward), "float32")
    _, gradients = model.value_and_grad(PARAMS, BATCH)
    found = model.trace(PARAMS, BATCH)
    assert {a.dtype for a in [*gradients.values(), *found.values.values(), *found.gradients.values()]} == {
        np.dtype("float32")
    }


@pytest.mark.parametrize(("written", "received"), [(None, "nothing"), (np.ones(3), r"shape \(3,\)")])
def test_a_forward_must_write_a_single_number_as_the_loss(written: np.ndarray | None, received: str) -> None:
    def forward(p: Params, batch: Batch, c: Any) -> None:
        c["z"] = batch.x @ p["w"]
        if written is not None:
            c["loss"] = c["z"] * written

    with pytest.raises(UsageError, match=f"written: forward must write a scalar array to c\\['loss'\\], .*{received}"):
        trace(forward)
