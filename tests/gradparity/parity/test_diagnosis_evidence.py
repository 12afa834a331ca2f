"""What evidence it takes: shapes, dtypes and names; arrays of more axes; and errors that prove nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.models import MLP, SoftmaxRegression
from gradparity.parity import draw_params
from gradparity.parity.diagnosis import Evidence, diagnose, gather
from gradparity.parity.problem import given_in
from gradparity.protocol import Batch, Trace
from gradparity_manual import backend

RNG = np.random.default_rng(0)
LOGITS, W = RNG.normal(size=(7, 5)), RNG.normal(size=(4, 5))
X = RNG.normal(size=(7, 4))
TERMS = {"batch.x": X, "d['logits']": LOGITS, "p['W']": W}
RIGHT = X.T @ LOGITS


def say(array: np.ndarray | None, expected: np.ndarray = RIGHT, **known: Any) -> str:
    """Diagnose d['W'], or another line of a batch of seven."""
    evidence: dict[str, Any] = {"symbol": "d", "name": "W", "n": 7, "terms": TERMS} | known
    return diagnose(Evidence(array=array, expected=expected, **evidence)).partition("'] ")[2]


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (RIGHT.T, "has shape (5, 4), should be (4, 5): it is transposed"),
        (RIGHT.ravel(), "has shape (20,), should be (4, 5): it holds the right numbers, reshaped"),
        (RIGHT[None], "has shape (1, 4, 5), should be (4, 5): it kept an axis of length 1"),
        (RIGHT.sum(axis=0), "has shape (5,), should be (4, 5): it is summed over axis 0 as well"),
        (RIGHT.sum(keepdims=True), "has shape (1, 1), should be (4, 5): it is summed over all axes"),
        (RIGHT[:-1], "has shape (3, 5), should be (4, 5): the last of its rows is missing"),
        (RIGHT[1:], "has shape (3, 5), should be (4, 5): the first of its rows is missing"),
        (X[:, :, None] * LOGITS[:, None], "has shape (7, 4, 5), should be (4, 5): it is not yet summed over axis 0"),
        (LOGITS, "has shape (7, 5), should be (4, 5): it is d['logits']"),
        (LOGITS @ W.T, "has shape (7, 4), should be (4, 5): it is d['logits'] @ p['W'].T"),
        (np.ones(3), "has shape (3,), should be (4, 5)"),
        (np.zeros(()), "has shape (), should be (4, 5)"),
    ],
)
def test_a_wrong_shape_is_traced_to_what_was_done(array: np.ndarray, sentence: str) -> None:
    assert say(array) == sentence


def test_dividing_once_more_by_one_less_than_n_is_named() -> None:
    assert say(RIGHT / 6) == "is n − 1 times too small (n = 7): as if divided by n − 1 once more"


def test_keepdims_is_missed() -> None:
    column = RIGHT.sum(axis=1, keepdims=True)
    assert say(column[:, 0], column) == "has shape (4,), should be (4, 1): it lost an axis of length 1 (keepdims)"


def test_a_total_that_is_zero_by_mathematics_is_still_seen_as_a_total() -> None:
    right = LOGITS[0] - LOGITS[0].mean()
    assert say(np.asarray(right.sum() + 1e-17), right) == "has shape (), should be (5,): it is summed over all axes"


def test_a_name_never_written_is_looked_for_under_another() -> None:
    assert say(None) == "is never written"
    assert say(None, strays={"dW": RIGHT}) == "is never written: d['dW'] holds its value"
    assert say(None, name="weights", strays={"wieghts": LOGITS}) == "is never written: is d['wieghts'] meant to be it?"


def test_nan_and_infinity_are_counted_and_the_first_is_shown() -> None:
    bad = RIGHT.copy()
    bad[2, 3] = np.nan
    assert say(bad) == "is NaN in 1 of 20 entries, the first at [2, 3]"
    bad[1, 4] = -np.inf
    assert say(bad) == "is NaN or infinite in 2 of 20 entries, the first at [1, 4]"
    assert say(bad, bad) == (
        "is NaN or infinite in 2 of 20 entries, the first at [1, 4]; the witness's is not finite either"
    )
    assert say(np.asarray(np.inf), np.asarray(1.0)) == "is infinite"
    assert say(RIGHT, bad) == (
        "cannot be judged: the witness's is NaN or infinite in 2 of 20 entries, the first at [1, 4]"
    )


def test_a_wrong_dtype_is_named_only_where_the_numbers_are_right_up_to_it() -> None:
    single = RIGHT.astype(np.float32)
    assert say(single) == "has dtype float32, should be float64"
    assert say(single.astype(np.float64)) == "holds float32 numbers: it was computed in float32"
    assert say(RIGHT, dtype="float32", limit=1e-5) == "has dtype float64, should be float32"
    assert say(RIGHT.astype(np.int64)) == "has dtype int64, should be float64"
    assert say(-single, limit=1e-6) == "has the wrong sign"


def test_one_step_of_time_is_missed_in_a_sum_over_time() -> None:
    h, a = RNG.normal(size=(7, 3, 4)), RNG.normal(size=(7, 3, 5))
    terms = {"c['h']": h, "d['a']": a}
    whole = "einsum('...i,...j->ij', c['h'], d['a'])"
    right = np.einsum("nti,ntj->ij", h, a)
    assert (
        say(np.einsum("nti,ntj->ij", h[:, 1:], a[:, 1:]), right, terms=terms) == f"lacks index 0 of axis 1 in {whole}"
    )
    assert say(np.einsum("nti,ntj->ij", h[:6], a[:6]), right, terms=terms) == f"lacks example 6 (the last) in {whole}"
    bias = a[:, :-1].sum(axis=(0, 1))
    assert say(bias, a.sum(axis=(0, 1)), terms=terms) == "lacks index 2 of axis 1 in d['a'].sum(axis=(0, 1))"


def test_a_kernel_that_is_not_turned_round_is_named() -> None:
    kernel = RNG.normal(size=(2, 3, 3, 5))
    assert say(kernel[:, ::-1, ::-1], kernel) == "has its axis-1 slices and axis-2 slices in reverse order"
    assert say(kernel.swapaxes(1, 2), kernel) == "is transposed: its axes come in the order (0, 2, 1, 3)"


def test_a_mean_that_is_not_subtracted_is_named() -> None:
    right = LOGITS - LOGITS.mean(axis=1, keepdims=True)
    assert say(LOGITS, right, terms={}) == "still has its mean over axis 1: that should be subtracted"


def test_masks_are_named_by_where_the_zeros_are() -> None:
    z = np.where(RNG.random((7, 5)) < 0.5, -1.0, 1.0) * np.abs(LOGITS)
    right = LOGITS * (z > 0)
    zeros = np.count_nonzero(z <= 0)
    lacking = f"{zeros} of 35 entries are not zero where they should be"
    assert say(LOGITS, right, terms={"c['z']": z}) == f"lacks the factor (c['z'] > 0): {lacking}"
    assert say(right, LOGITS, terms={"c['z']": z}) == "has the factor (c['z'] > 0) once too often"
    assert say(LOGITS, right, terms={}) == f"lacks a mask: {lacking}"
    assert say(right, LOGITS, terms={}) == f"has a wrong mask: {zeros} of 35 entries are zero where they should not be"
    assert say(LOGITS * (z < 0), right, terms={}).startswith("has a wrong mask: ")
    assert say(np.abs(LOGITS), LOGITS, terms={}) == f"has the wrong sign in {np.sum(LOGITS < 0)} of 35 entries"


def test_a_few_scattered_entries_are_counted() -> None:
    wrong = RIGHT.copy()
    wrong[[0, 1, 3], [4, 2, 0]] += [1.0, -3.0, 2.0]
    entry = f"it is {wrong[1, 2]:.4g}, should be {RIGHT[1, 2]:.4g}"
    assert say(wrong) == f"has 3 of 20 entries wrong, the worst at [1, 2]: {entry}"


def test_a_gradient_that_is_zero_by_mathematics_has_no_factor() -> None:
    rounding = 1e-17 * RNG.normal(size=5)
    found = say(0.5 * LOGITS[1] * LOGITS[2], rounding, name="b", reads=("d['logits']",))
    assert found.startswith("should be zero, and no known cause fits; the worst entry is [")
    assert say(LOGITS.sum(axis=0), rounding, reads=("d['logits']",)).startswith("has d['logits'].sum(axis=0) too much")
    assert say(2 * rounding, rounding, reads=("d['logits']",)) == "agrees: its error is rounding"


def test_what_a_line_read_comes_first_where_two_arrays_are_equal() -> None:
    values = {"z": LOGITS, "same": LOGITS.copy(), "loss": np.asarray(1.0)}
    truth = Trace(values, {**values, "W": RIGHT})
    evidence = gather(
        "d", "W", RIGHT, truth=truth, params={"W": W}, given=given_in(Batch(X, X)), n=len(X), reads=("same",)
    )
    assert next(iter(evidence.terms)) == "d['same']"
    assert "d['W']" not in evidence.terms
    assert {"d['z']", "c['z']", "p['W']", "batch.x", "batch.y"} <= set(evidence.terms)


def test_tokens_are_gathered_one_hot() -> None:
    tokens = np.array([[0, 3], [2, 2], [1, 0]])
    truth = Trace({"loss": np.asarray(1.0)}, {"E": np.ones((4, 9)), "e": np.ones((3, 2, 9))})
    terms = gather("d", "E", None, truth=truth, params={}, given=given_in(Batch(tokens, tokens[:, 0])), n=3).terms
    assert terms["one_hot(batch.x)"].shape == (3, 2, 4)
    assert terms["one_hot(batch.y)"].shape == (3, 9)


@pytest.mark.parametrize("factor", [0.0, -1.0, 7.0, 1 / 7, 2.0])
def test_a_single_number_gets_a_factor_or_a_sign_and_no_more(factor: float) -> None:
    right = np.asarray(0.731)
    known = {0.0: "is all zero", -1.0: "has the wrong sign", 7.0: "is n times", 1 / 7: "is n times", 2.0: "is 2 times"}
    assert say(np.asarray(factor * right), right, terms={"d['z']": np.asarray(1.0)}).startswith(known[factor])
    other = say(np.asarray(0.52), np.asarray(0.13), terms={"c['a']": np.asarray(0.2)}, n=5)
    assert other == "is 4 times the right value: 0.52, should be 0.13"


def test_numbers_that_overflow_are_diagnosed_without_a_warning() -> None:
    huge = {"c['z']": 1e200 * LOGITS, "d['z']": 1e200 * LOGITS}
    assert "no known cause fits" in say(LOGITS**3, LOGITS, terms=huge)


@given(
    st.sampled_from([(2,), (3,), (5,), (1, 2), (2, 3), (7, 5)]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-10, 1e-6, 1e-4]),
    st.sampled_from([1.0, 0.01]),
)
@settings(max_examples=60, deadline=None)
def test_an_unrelated_error_has_no_cause(shape: tuple[int, ...], seed: int, limit: float, size: float) -> None:
    rng = np.random.default_rng(seed)
    names = ["c['z']", "c['a']", "d['z']", "d['a']", "p['W']", "d['u']"]
    terms = {name: rng.normal(size=other) for name, other in zip(names, [shape] * 4 + [(5, 5), (7, 5)], strict=True)}
    expected = rng.normal(size=shape)
    array = expected + size * rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 1.5, size=shape)
    assert "no known cause fits; the worst entry is [" in say(array, expected, terms=terms, limit=limit)


@pytest.mark.parametrize("spec", [SoftmaxRegression(weight_decay=0.1), MLP(activation="tanh")])
def test_what_is_right_is_never_said_to_be_wrong(spec: Any) -> None:
    rng = np.random.default_rng(1)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 6)
    truth = backend.model(spec, "float64").trace(params, batch)
    single = backend.model(spec, "float32").trace(params, batch)
    known: dict[str, Any] = {"truth": truth, "params": params, "given": given_in(batch), "n": len(batch.x)}
    for name, g in truth.gradients.items():
        double = gather("d", name, np.asarray(g * (1 + 1e-15)), **known)
        assert diagnose(double) == f"d['{name}'] agrees: its error is rounding"
        float32 = single.gradients[name]
        rounded = gather(
            "d",
            name,
            float32,
            truth=truth,
            params=params,
            given=given_in(batch),
            n=len(batch.x),
            limit=1e-4,
            dtype="float32",
        )
        assert diagnose(rounded) == f"d['{name}'] agrees: its error is rounding"


def test_causes_are_seen_through_the_rounding_of_float32() -> None:
    spec = SoftmaxRegression(features=6, classes=5, weight_decay=0.1)
    rng = np.random.default_rng(2)
    params, batch = draw_params(spec, rng), spec.example_batch(rng, 9)
    truth = backend.model(spec, "float64").trace(params, batch)
    single = {name: p.astype(np.float32) for name, p in (params | {"x": batch.x} | truth.gradients).items()}
    right, logits, decay = single["W"], single["logits"], np.float32(0.1) * params["W"].astype(np.float32)
    right = single["x"].T @ logits + decay

    known: dict[str, Any] = {"truth": truth, "params": params, "given": given_in(batch), "n": len(batch.x)}

    def found(array: np.ndarray) -> str:
        evidence = gather(
            "d",
            "W",
            array,
            **known,
            limit=1e-5,
            dtype="float32",
            reads=("logits",),
        )
        return diagnose(evidence)

    assert found(9 * right).startswith("d['W'] is n times too large (n = 9)")
    assert found(-right) == "d['W'] has the wrong sign"
    assert found(right[::-1]) == "d['W'] has its rows in reverse order"
    assert found(right - decay).startswith("d['W'] lacks 0.1 * p['W']: weight decay")
    assert (
        found(single["x"][:-1].T @ logits[:-1] + decay)
        == "d['W'] lacks example 8 (the last) in batch.x.T @ d['logits']"
    )
