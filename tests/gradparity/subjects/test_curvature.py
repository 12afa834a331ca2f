"""``order=2`` of models: how a gradient changes, by a machine, and as it was measured of a hand derivation."""

from typing import Any

import numpy as np
import pytest

import gradparity
from gradparity.errors import UsageError
from gradparity.parity import Report
from gradparity.parity.curvature import measured_along, measured_rows
from gradparity.parity.differences import agreement_with
from gradparity.parity.problem import draw
from gradparity.parity.rows import Unchecked
from gradparity.protocol import Batch
from gradparity.subjects.model_file import adopt

KIND = "Hessian-vector product"
SMALL = {"param_shapes": {"w": (3,), "b": ()}, "input_shape": 3, "target_shape": ()}


def forward(p: Any, batch: Batch, c: Any) -> None:
    c["z"] = batch.x @ p["w"] + p["b"]
    c["loss"] = ((c["z"] ** 2 - batch.y) ** 2).mean()


def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
    d["z"] = d["loss"] * 4 * (c["z"] ** 2 - batch.y) * c["z"] / len(batch.x)
    d["w"] = batch.x.T @ d["z"]
    d["b"] = d["z"].sum()


def products(report: Report) -> dict[tuple[str, str], bool]:
    """Backend and parameter -> whether H·v agrees with every witness."""
    found: dict[tuple[str, str], bool] = {}
    for row in report.rows:
        if row.kind == KIND:
            found[row.backend, row.line] = found.get((row.backend, row.line), True) and row.agrees
    return found


RIGHT = {**SMALL, "forward": forward, "backward": backward}


def test_every_backend_of_a_right_model_has_the_hessian_vector_product_of_a_machine() -> None:
    for library in ("jax", "torch", "autograd"):
        pytest.importorskip(library)
    backends = ["numpy", "jax", "torch", "jax-manual", "numpy-autograd"]
    report = gradparity.check(RIGHT, backends=backends, order=2)
    report.assert_ok()
    assert products(report) == {(b, p): True for b in backends for p in ("w", "b")}
    by_jax = [row.error for row in report.rows if row.kind == KIND and row.backend == "jax-manual"]
    assert max(by_jax) < 1e-13  # JAX differentiates the hand derivation, which nothing measures


@pytest.mark.parametrize("backends", [["numpy", "jax"], ["jax-manual", "jax"], ["numpy", "torch"]], ids=str)
def test_a_gradient_that_is_right_at_these_parameters_alone_is_told_by_parameter(backends: list[str]) -> None:
    for library in backends[1:]:
        pytest.importorskip(library)
    here, _ = draw(adopt(RIGHT), np.random.default_rng(0), 11)

    def frozen(p: Any, batch: Batch, c: Any, d: Any) -> None:
        d["z"] = d["loss"] * 4 * (c["z"] ** 2 - batch.y) * c["z"] / len(batch.x)
        d["w"] = batch.x.T @ d["z"] + (p["b"] - float(here["b"]))  # zero where it is checked
        d["b"] = d["z"].sum()

    report = gradparity.check({**SMALL, "forward": forward, "backward": frozen}, backends=backends, order=2)
    assert {row.name for row in report.disagreements} == {"(Hv)['w']"}
    with pytest.raises(AssertionError, match=r"\(Hv\)\['w'\] is wrong: the gradient is right at these parameters"):
        report.assert_ok()


def test_a_wrong_gradient_is_told_alone() -> None:
    pytest.importorskip("jax")

    def wrong(p: Any, batch: Batch, c: Any, d: Any) -> None:  # noqa: ARG001
        d["z"] = d["loss"] * 4 * (c["z"] ** 2 - batch.y) / len(batch.x)
        d["w"] = batch.x.T @ d["z"]
        d["b"] = d["z"].sum()

    report = gradparity.check({**SMALL, "forward": forward, "backward": wrong}, backends=["numpy", "jax"], order=2)
    assert report.disagreements
    assert products(report) == {}
    assert "Hessian-vector products are not looked at before the gradients agree" in report.remarks


def test_a_gradient_that_bends_is_measured_closer_than_its_kinks() -> None:
    x, v = np.array([0.01, -0.02, 1.0]), np.array([-1.0, 1.0, 1.0])
    measured = measured_along(lambda p: {"x": np.maximum(p["x"], 0)}, {"x": x}, {"x": v}, np.random.default_rng(1))
    assert agreement_with(measured["x"], np.array([-1.0, 0.0, 1.0])).agrees
    assert not agreement_with(measured["x"], np.array([-1.0, 1.0, 1.0])).agrees


def test_what_was_measured_is_the_hessian_of_a_quadratic_form() -> None:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(4, 4))
    hessian, x, v = half + half.T, rng.normal(size=4), rng.normal(size=4)
    (measured,) = measured_along(lambda p: {"x": hessian @ p["x"]}, {"x": x}, {"x": v}, rng).values()
    assert agreement_with(measured, hessian @ v).agrees
    assert not agreement_with(measured, hessian @ v * (1 + 1e-8)).agrees


@pytest.mark.parametrize("gradient", [np.heaviside, np.sqrt], ids=["it jumps", "it is nowhere below"])
def test_a_gradient_without_a_derivative_is_not_judged(gradient: Any) -> None:
    def at(p: Any) -> Any:
        return {"x": gradient(p["x"], 0.0) if gradient is np.heaviside else gradient(p["x"])}

    measured = measured_along(at, {"x": np.zeros(3)}, {"x": np.ones(3)}, np.random.default_rng(1))
    (found,) = measured_rows("mine", "jax", measured, {"x": np.ones(3)})
    assert isinstance(found, Unchecked)
    assert str(found).startswith("(Hv)['x'] of mine is not checked: ")


def test_backends_that_do_not_differentiate_twice_do_not_agree_silently() -> None:
    pytest.importorskip("autograd")
    report = gradparity.check(RIGHT, backends=["numpy", "numpy-autograd"], order=2)
    with pytest.raises(AssertionError, match=r"H·v of .* is not checked: none of these backends differentiates twice"):
        report.assert_ok()


def test_an_order_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="order must be 1, or 2"):
        gradparity.check("softmax_regression", order=3)
