import pkgutil
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gradparity_manual.operations as hand
from gradparity import operations
from gradparity.recording import Gradients
from gradparity_manual.operations import cross_entropy, embedding
from gradparity_manual.operations.cross_entropy import log_sum_exp, one_hot, softmax

tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-30, 30),
)
STEP = 1e-6


@given(tables)
def test_softmax_rows_are_probabilities(z: np.ndarray) -> None:
    p = softmax(z)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


@given(tables, st.floats(-1e4, 1e4))
def test_softmax_and_cross_entropy_do_not_depend_on_a_shift(z: np.ndarray, shift: float) -> None:
    y = np.arange(len(z)) % z.shape[1]
    np.testing.assert_allclose(softmax(z + shift), softmax(z), rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(cross_entropy.forward(z + shift, y), cross_entropy.forward(z, y), rtol=1e-8, atol=1e-10)


@given(tables)
def test_softmax_is_the_gradient_of_log_sum_exp(z: np.ndarray) -> None:
    for k in range(z.shape[1]):
        step = STEP * np.eye(z.shape[1])[k]
        slope = (log_sum_exp(z + step) - log_sum_exp(z - step)) / (2 * STEP)
        np.testing.assert_allclose(softmax(z)[:, k], slope, atol=1e-7)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e300])
def test_huge_logits_stay_finite(scale: float) -> None:
    z = np.array([[scale, 0.0, -scale]])
    assert np.isfinite(softmax(z)).all()
    assert np.isfinite(cross_entropy.forward(z, np.array([1]))).all()


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes() -> None:
    np.testing.assert_allclose(cross_entropy.forward(np.full((2, 5), 3.0), np.array([0, 4])), np.log(5))


def test_one_hot_has_the_shape_and_dtype_of_its_model() -> None:
    hot = one_hot(np.array([2, 0]), like=np.zeros((2, 3), dtype=np.float32))
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]


def slope(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """The gradient of a number by central differences, entry by entry."""
    found = np.empty_like(at)
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = STEP
        found[index] = (loss(at + step) - loss(at - step)) / (2 * STEP)
    return found


def test_a_row_of_a_table_receives_the_sum_over_the_places_of_its_token() -> None:
    rng = np.random.default_rng(0)
    x, upstream = np.array([[0, 2, 2], [3, 0, 2]]), rng.normal(size=(2, 3, 4))
    p, d = {"table": rng.normal(size=(5, 4))}, Gradients(out=upstream)
    embedding.backward(p, x, d)
    expected = slope(lambda a: float((embedding.forward({"table": a}, x, {}) * upstream).sum()), p["table"])
    np.testing.assert_allclose(d["table"], expected, atol=1e-8)
    assert not d["table"][[1, 4]].any()


def test_an_operation_is_derived_by_hand_in_the_file_of_its_name() -> None:
    by_hand, in_no_framework = (
        {module.name for module in pkgutil.iter_modules(package.__path__)} for package in (hand, operations)
    )
    assert in_no_framework - by_hand == {"convolutional", "perceptron", "reductions", "rules", "transformer_block"}
    assert by_hand <= in_no_framework


def test_softmax_is_tried_as_the_derivation_computes_it() -> None:
    z = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(operations.EXPRESSIONS["softmax({0})"](z), softmax(z), rtol=1e-12)
