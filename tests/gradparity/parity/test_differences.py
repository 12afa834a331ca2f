import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity import registry
from gradparity.models import MLP, SoftmaxRegression
from gradparity.operations.perceptron import Loss
from gradparity.parity import draw_params
from gradparity.parity.differences import (
    ALL,
    DIRECTIONS,
    REDRAWS,
    LossMeasurement,
    agreement_with,
    flat,
    measure,
    measure_jointly,
)
from gradparity.parity.kinks import kinks_of
from gradparity.protocol import Batch

ACTIVATIONS = ["relu", "tanh", "sigmoid", "identity"]
Gradients = dict[str, np.ndarray]


@functools.cache
def measured(spec: MLP | SoftmaxRegression, seed: int = 0, n: int = 11) -> tuple[dict[str, LossMeasurement], Gradients]:
    """Differences of the hand-written forward, and the gradients of the hand derivation."""
    rng = np.random.default_rng(seed)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, n)
    model = registry.backend("numpy").model(spec, "float64")
    assert model.derivation is not None
    return (
        measure(model.derivation.forward, params, batch, rng, kinks_of(spec)),
        model.trace(params, batch).gradients,
    )


@st.composite
def mlps(draw: st.DrawFn) -> MLP:
    loss: Loss = draw(st.sampled_from(["cross_entropy", "squared_error"]))
    return MLP(
        widths=tuple(draw(st.lists(st.integers(1, 9), min_size=2, max_size=3))),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        output_activation=draw(st.sampled_from(ACTIVATIONS)),
        loss=loss,
        reduction=draw(st.sampled_from(["mean", "sum"] + ["half-sum"] * (loss == "squared_error"))),
    )


decayed = st.builds(SoftmaxRegression, st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.0, 1e-3, 2.0]))


@settings(max_examples=15, deadline=None)
@given(mlps() | decayed, st.integers(0, 2**32), st.integers(1, 12))
def test_right_gradients_agree_at_every_name(spec: MLP | SoftmaxRegression, seed: int, n: int) -> None:
    found, gradients = measured(spec, seed, n)
    assert set(found) == {line.name for line in spec.derivation} - {"loss"}
    for name, measurement in found.items():
        agreement = agreement_with(measurement, gradients[name])
        assert agreement.agrees, agreement
        assert agreement.slope is None or agreement.slope > 1.9, agreement
        assert (
            agreement.limit > 1e-3
            or not gradients[name].any()
            or not agreement_with(measurement, np.asarray(1.1 * gradients[name])).agrees
        )


SPECS = [
    MLP(),
    MLP(widths=(5, 4, 3), activation="tanh", loss="squared_error", reduction="sum"),
    MLP(widths=(5, 4, 3), activation="sigmoid", output_activation="sigmoid", loss="squared_error"),
    SoftmaxRegression(weight_decay=0.2),
]


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_remainders_fall_with_the_square_of_the_step_if_the_gradient_is_right_else_with_the_step(
    spec: MLP | SoftmaxRegression,
) -> None:
    found, gradients = measured(spec)
    bent = [name for name in found if name not in ("cross_entropy", "penalty")]
    for name in bent:
        right, wrong = (
            agreement_with(found[name], gradients[name]),
            agreement_with(found[name], np.asarray(1.3 * gradients[name])),
        )
        assert right.limit < 1e-6
        assert right.slope == pytest.approx(2, abs=0.1)
        assert wrong.slope == pytest.approx(1, abs=0.1)
        assert right.fitted is not None
        assert 0 < right.fitted[0] < right.fitted[1] < 1


def one_entry(g: np.ndarray) -> np.ndarray:
    wrong = g.copy()
    wrong.flat[np.argmax(np.abs(g))] *= 1.01
    return wrong


@pytest.mark.parametrize(
    "wrong",
    [
        lambda g: g * 1.001,
        lambda g: g * 0.999,
        lambda g: -g,
        lambda g: 0 * g,
        lambda g: 1000 * g,
        lambda g: np.roll(g, 1),
        one_entry,
    ],
    ids=["1.001", "0.999", "negated", "zero", "1000", "rolled", "one entry"],
)
@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_wrong_gradients_disagree_at_every_name(
    spec: MLP | SoftmaxRegression, wrong: Callable[[np.ndarray], np.ndarray]
) -> None:
    found, gradients = measured(spec)
    for name, gradient in gradients.items():
        planted = np.asarray(wrong(gradient))
        if name != "loss" and not np.array_equal(planted, gradient):
            assert not agreement_with(found[name], planted).agrees, name


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_infinitely_wrong(bad: float) -> None:
    found, gradients = measured(SoftmaxRegression())
    wrong = gradients["b"].copy()
    wrong[1] = bad
    agreement = agreement_with(found["b"], wrong)
    assert agreement.error == np.inf
    assert not agreement.agrees


def test_a_wrong_shape_is_infinitely_wrong() -> None:
    found, gradients = measured(SoftmaxRegression())
    assert agreement_with(found["W"], gradients["W"].T).error == np.inf


def test_the_error_estimates_the_norm_wise_error_of_one_wrong_entry_and_no_draw_hides_it() -> None:
    rng = np.random.default_rng(0)
    p, batch = {"w": rng.normal(size=200)}, Batch(np.zeros(1), np.zeros(1))

    def forward(p: Any, _: Batch, c: Any) -> None:
        c["loss"] = (p["w"] ** 2).sum()

    right = 2 * p["w"]
    wrong = right.copy()
    wrong[17] += 1e-3 * np.linalg.norm(right)
    found = [agreement_with(measure(forward, p, batch, rng, {})["w"], wrong) for _ in range(60)]
    assert not any(agreement.agrees for agreement in found)
    differences = np.array([np.subtract(a.by_gradient, a.by_differences) for a in found])
    right_ones = np.array([a.by_differences for a in found])
    assert np.linalg.norm(differences) / np.linalg.norm(right_ones) == pytest.approx(1e-3, rel=0.2)


def own_forward(phi: Callable[[Any], Any]) -> Callable[[Any, Batch, Any], None]:
    """Two layers and cross-entropy, in NumPy functions that take complex numbers where ``phi`` does."""

    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["z1"] = batch.x @ p["W1"] + p["b1"]
        c["a1"] = phi(c["z1"])
        c["z2"] = c["a1"] @ p["W2"] + p["b2"]
        shifted = c["z2"] - np.max(c["z2"], axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1))
        c["loss"] = (log_sum - shifted[np.arange(len(batch.y)), batch.y]).mean()

    return forward


def beside_own_forward(phi: Callable[[Any], Any], spec: MLP, seed: int) -> tuple[dict[str, LossMeasurement], Gradients]:
    rng = np.random.default_rng(seed)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 9)
    gradients = registry.backend("numpy").model(spec, "float64").trace(params, batch).gradients
    return measure(own_forward(phi), params, batch, rng, {}), gradients


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("activation", "phi"), [("tanh", np.tanh), ("sigmoid", lambda z: 1 / (1 + np.exp(-z))), ("identity", lambda z: +z)]
)
def test_the_complex_step_is_exact_to_rounding_on_smooth_networks(
    activation: Any, phi: Callable[[Any], Any], seed: int
) -> None:
    found, gradients = beside_own_forward(phi, MLP(widths=(5, 6, 4), activation=activation), seed)
    for name, measurement in found.items():
        agreement = agreement_with(measurement, gradients[name])
        assert agreement.method == "complex step"
        assert agreement.error < 1e-12
        assert max(each.accuracy for each in measurement.directions) < 1e-12
        assert agreement.agrees


def refusing_complex(z: Any) -> Any:
    return np.vectorize(np.frompyfunc(float, 1, 1))(z) * 0 + np.tanh(z)


def dropping_the_imaginary_part(z: Any) -> Any:
    return np.tanh(z.astype(np.float64))


def dropping_it_silently(z: Any) -> Any:
    return np.tanh(np.real(z))


@pytest.mark.parametrize("phi", [refusing_complex, dropping_the_imaginary_part, dropping_it_silently])
def test_what_goes_through_code_that_does_not_take_complex_numbers_is_measured_by_central_differences(
    phi: Callable[[Any], Any],
) -> None:
    found, gradients = beside_own_forward(phi, MLP(widths=(5, 6, 4), activation="tanh"), 0)
    for name, measurement in found.items():
        agreement = agreement_with(measurement, gradients[name])
        assert agreement.method == ("central differences" if name in ("W1", "b1", "z1") else "complex step")
        assert agreement.agrees
        assert agreement.error < 1e-8


def test_an_absolute_value_that_is_not_analytic_is_noticed() -> None:
    """|z| as a positive number has a right derivative that the complex step gets wrong."""

    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["size"] = np.abs(batch.x @ p["w"])
        c["loss"] = (c["size"] ** 2).mean()

    rng = np.random.default_rng(1)
    p, batch = {"w": rng.normal(size=3)}, Batch(rng.normal(size=(5, 3)), np.zeros(5))
    found = measure(forward, p, batch, rng, {})
    agreement = agreement_with(found["w"], 2 * batch.x.T @ (batch.x @ p["w"]) / 5)
    assert agreement.method == "central differences"
    assert agreement.agrees


def test_relu_networks_are_measured_by_central_differences() -> None:
    found, _ = measured(MLP())
    assert {measurement.method for measurement in found.values()} == {"central differences"}


@pytest.mark.parametrize("declared", [True, False])
def test_at_a_kink_differences_say_nothing_and_elsewhere_they_agree(declared: bool) -> None:
    spec = MLP(widths=(5, 6, 4))
    rng = np.random.default_rng(0)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 9)
    params["W1"], params["b1"] = np.zeros((5, 6)), np.zeros(6)
    gradients = registry.backend("numpy").model(spec, "float64").trace(params, batch).gradients
    found = measure(
        own_forward(lambda z: np.where(z > 0, z, 0)), params, batch, rng, kinks_of(spec) if declared else {}
    )
    unknown = {name for name, measurement in found.items() if not measurement.directions}
    # a1 = 0 is no kink: what comes after it is smooth.
    assert unknown == {"W1", "b1", "z1"}
    for name in set(found) - unknown:
        assert agreement_with(found[name], gradients[name]).agrees
        assert found[name].redrawn == 0
    assert {found[name].redrawn for name in unknown} == {REDRAWS + 1}


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-5, 1e-6, 1e-8])
def test_a_kink_near_by_raises_no_false_alarm(gap: float, declared: bool) -> None:
    """Every unit of the first example is this close above or below its kink."""
    spec = MLP(widths=(5, 6, 4))
    rng = np.random.default_rng(2)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 9)
    params["b1"] = -batch.x[0] @ params["W1"] + gap * np.array([1, -1, 1, -1, 1, -1])
    model = registry.backend("numpy").model(spec, "float64")
    assert model.derivation is not None
    gradients = model.trace(params, batch).gradients
    found = measure(model.derivation.forward, params, batch, rng, kinks_of(spec) if declared else {})
    seen = {name: agreement_with(found[name], gradients[name]) for name in found if found[name].directions}
    assert all(agreement.agrees for agreement in seen.values())
    assert {"W2", "b2", "a1", "z2"} <= set(seen)
    if gap >= 1e-6 and declared:
        assert set(seen) == set(found)
        assert not agreement_with(found["W1"], gradients["W1"] * 1.001).agrees


def test_a_direction_that_meets_a_kink_is_drawn_again() -> None:
    """So close to the kink that the smallest steps cross it in some directions and not in others."""

    def forward(p: Any, _: Batch, c: Any) -> None:
        c["z"] = p["w"] - 1 + 3e-9
        c["loss"] = np.where(c["z"] > 0, c["z"], 0).sum() + (p["w"] ** 2).sum()

    batch = Batch(np.zeros(1), np.zeros(1))
    found = [
        measure(forward, {"w": np.ones(1)}, batch, np.random.default_rng(s), {"z": "relu"})["w"] for s in range(12)
    ]
    drawn_again = [m for m in found if m.redrawn and m.directions]
    assert drawn_again
    assert all(len(m.directions) == DIRECTIONS for m in drawn_again)
    assert all(agreement_with(m, np.array([3.0])).agrees for m in found if m.directions)


def test_a_loss_that_is_not_a_number_measures_nothing() -> None:
    def forward(p: Any, _: Batch, c: Any) -> None:
        c["loss"] = np.log(p["w"]).sum()

    found = measure(forward, {"w": -np.ones(2)}, Batch(np.zeros(1), np.zeros(1)), np.random.default_rng(0), {})
    assert found["w"].directions == ()


def test_a_gradient_that_is_zero_by_mathematics_may_be_rounding_but_nothing_else() -> None:
    """Adding one number to every logit of an example changes nothing."""

    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["logits"] = batch.x + p["shift"]
        c["loss"] = (np.log(np.exp(c["logits"]).sum(axis=1)) - c["logits"][:, 0]).mean()

    for seed in range(20):
        rng = np.random.default_rng(seed)
        batch = Batch(rng.normal(size=(7, 4)), np.zeros(7))
        found = measure(forward, {"shift": rng.normal(size=(7, 1))}, batch, rng, {})
        e = np.exp(batch.x)
        rounding = ((e / e.sum(axis=1, keepdims=True) - np.eye(4)[0]) / 7).sum(axis=1, keepdims=True)
        assert agreement_with(found["shift"], rounding).agrees
        assert agreement_with(found["shift"], np.zeros((7, 1))).agrees
        assert not agreement_with(found["shift"], np.full((7, 1), 1e-9)).agrees


def test_an_intermediate_counts_where_a_change_reaches_what_the_forward_goes_on_with() -> None:
    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["x"] = batch.x  # a change of it in place would change the batch
        z = batch.x @ p["w"]
        c["z"] = z
        c["a"] = np.tanh(z)
        c["loss"] = (c["a"] ** 2).mean()

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 3)), np.ones(3)
    found = measure(forward, {"w": w}, Batch(x, None), rng, {})
    assert set(found) == {"w", "z", "a"}
    tanh = np.tanh(x @ w)
    assert agreement_with(found["z"], tanh * (1 - tanh**2) / 2).agrees


def test_a_mask_is_no_intermediate_with_a_gradient() -> None:
    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["keep"] = batch.x > 0
        c["loss"] = ((c["keep"] * batch.x) @ p["w"]).mean() ** 2

    rng = np.random.default_rng(0)
    assert set(measure(forward, {"w": np.ones(3)}, Batch(rng.normal(size=(4, 3)), None), rng, {})) == {"w"}


def test_a_loss_that_overflows_at_large_steps_is_measured_at_small_ones() -> None:
    def forward(p: Any, _: Batch, c: Any) -> None:
        c["loss"] = np.exp(300 * p["w"]).sum()

    p = {"w": np.array([2.0, 2.1])}
    found = measure(forward, p, Batch(np.zeros(1), np.zeros(1)), np.random.default_rng(0), {})
    assert agreement_with(found["w"], 300 * np.exp(300 * p["w"])).agrees
    assert not agreement_with(found["w"], 300.3 * np.exp(300 * p["w"])).agrees


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1.0, 1e20, 1e150])
def test_units_do_not_matter(scale: float) -> None:
    def forward(p: Any, batch: Batch, c: Any) -> None:
        c["loss"] = scale * (np.tanh(batch.x @ (p["w"] / scale)) ** 2).sum()

    rng = np.random.default_rng(0)
    w, x = rng.normal(size=3), rng.normal(size=(4, 3))
    found = measure(forward, {"w": w * scale}, Batch(x, np.zeros(4)), rng, {})
    t = np.tanh(x @ w)
    right = x.T @ (2 * t * (1 - t * t))
    assert agreement_with(found["w"], right).agrees
    assert not agreement_with(found["w"], 1.001 * right).agrees
    assert not agreement_with(found["w"], 0 * right).agrees


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_all_parameters_at_once_see_one_wrong_parameter(spec: MLP | SoftmaxRegression) -> None:
    rng = np.random.default_rng(0)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 11)
    model = registry.backend("numpy").model(spec, "float64")
    assert model.derivation is not None
    found = measure_jointly(model.derivation.forward, params, batch, rng, kinks_of(spec))[ALL]
    gradients = {name: model.trace(params, batch).gradients[name] for name in params}
    assert agreement_with(found, flat(gradients, params)).agrees
    for name in params:
        wrong = flat(gradients | {name: np.asarray(1.001 * gradients[name])}, params)
        assert not agreement_with(found, wrong).agrees, name
