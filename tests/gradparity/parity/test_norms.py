import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from gradparity.parity.norms import distance, norm, relative_error, typical_size

finite = arrays(np.float64, array_shapes(), elements=st.floats(-1e300, 1e300))


@given(finite)
def test_equal_arrays_have_no_error(a: np.ndarray) -> None:
    assert relative_error(a, a.copy()) == 0.0


@given(arrays(np.float64, 7, elements=st.floats(1e-3, 1e3)), st.floats(1e-8, 1e3))
def test_a_factor_is_its_own_error(a: np.ndarray, excess: float) -> None:
    assert relative_error(a * (1 + excess), a) == pytest.approx(excess, rel=1e-6)


@given(arrays(np.float64, 7, elements=st.floats(1e-3, 1e3)), st.integers(-250, 250))
def test_the_error_does_not_depend_on_the_scale(a: np.ndarray, exponent: int) -> None:
    scale = 2.0**exponent
    assert relative_error(a * 1.5 * scale, a * scale) == pytest.approx(0.5)


def test_an_all_zero_gradient_is_wrong_however_small_the_true_one() -> None:
    true = np.full(5, 1e-300)
    assert relative_error(np.zeros(5), true) == pytest.approx(1.0)


def test_a_negated_gradient_is_wrong() -> None:
    true = np.array([1e-9, -2e-9])
    assert relative_error(-true, true) == pytest.approx(2.0)


def test_zero_by_mathematics_is_taken_on_the_upstream_scale() -> None:
    rounding = np.full(4, 1e-17)
    assert relative_error(-rounding, rounding, upstream=1.0) == pytest.approx(4e-17)
    assert relative_error(np.full(4, 1e-3), rounding, upstream=1.0) == pytest.approx(2e-3)


def test_something_where_the_witness_has_exactly_nothing_is_wrong() -> None:
    assert relative_error(np.full(3, 1e-200), np.zeros(3)) == np.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_always_fail_even_where_both_have_them(bad: float) -> None:
    a = np.array([1.0, bad])
    assert relative_error(a, np.ones(2)) == np.inf
    assert relative_error(np.ones(2), a) == np.inf
    assert relative_error(a, a) == np.inf


def test_different_shapes_are_infinitely_far() -> None:
    assert distance(np.ones((2, 3)), np.ones((3, 2))) == np.inf


def test_norm_neither_overflows_nor_underflows() -> None:
    assert norm(np.full(4, 1e200)) == pytest.approx(2e200)
    assert norm(np.full(4, 1e-200)) == pytest.approx(2e-200)
    assert norm(np.zeros(0)) == 0.0


def test_what_is_masked_by_an_infinity_does_not_tell_how_large_the_others_are() -> None:
    assert typical_size(np.array([3.0, -np.inf, -3.0])) == pytest.approx(3.0)
    assert typical_size(np.array([-np.inf, 0.0])) == 1.0
