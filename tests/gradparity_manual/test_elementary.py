import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gradparity_manual.elementary import ACTIVATIONS, cross_entropy, log_sum_exp, one_hot, softmax

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
    np.testing.assert_allclose(cross_entropy(z + shift, y), cross_entropy(z, y), rtol=1e-8, atol=1e-10)


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
    assert np.isfinite(cross_entropy(z, np.array([1]))).all()


def test_cross_entropy_of_equal_logits_is_log_of_the_number_of_classes() -> None:
    np.testing.assert_allclose(cross_entropy(np.full((2, 5), 3.0), np.array([0, 4])), np.log(5))


def test_one_hot_has_the_shape_and_dtype_of_its_model() -> None:
    hot = one_hot(np.array([2, 0]), like=np.zeros((2, 3), dtype=np.float32))
    assert hot.dtype == np.float32
    assert hot.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(z=st.floats(-20, 20).filter(lambda z: abs(z) > 2 * STEP))
def test_the_local_derivative_is_the_slope(name: str, z: float) -> None:
    phi = ACTIVATIONS[name]
    at = np.array([z])
    slope = (phi.function(at + STEP) - phi.function(at - STEP)) / (2 * STEP)
    np.testing.assert_allclose(phi.derivative(at, phi.function(at)), slope, atol=1e-8)


def test_relu_has_derivative_zero_at_the_kink() -> None:
    relu = ACTIVATIONS["relu"]
    assert relu.derivative(np.array([0.0]), np.array([0.0])) == 0
    assert relu.function(np.array([-np.inf, 0.0, np.inf])).tolist() == [0.0, 0.0, np.inf]


@pytest.mark.parametrize("z", [-1e4, 1e4])
def test_sigmoid_and_tanh_saturate_without_overflow(z: float) -> None:
    limit = 1.0 if z > 0 else 0.0
    assert ACTIVATIONS["sigmoid"].function(np.array([z])) == limit
    assert ACTIVATIONS["tanh"].function(np.array([z])) == 2 * limit - 1
