import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.parity import derivative
from gradparity.parity.derivative import STEPS, central, noise, rate, smooth_from

LADDER = STEPS[:10]
EPS = 2.0**-52


def sides(f: Callable[[float], float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([f(h) for h in LADDER]), np.array([f(-h) for h in LADDER])


SLOPES: dict[Callable[[float], float], Callable[[float], float]] = {
    math.sin: math.cos,
    math.exp: math.exp,
    math.tanh: lambda z: 1 / math.cosh(z) ** 2,
    math.atan: lambda z: 1 / (1 + z**2),
}


@settings(max_examples=200, deadline=None)
@given(st.floats(-2, 2), st.floats(0.01, 30), st.sampled_from(list(SLOPES)))
def test_the_stated_accuracy_holds(x: float, stretch: float, f: Callable[[float], float]) -> None:
    """The same function with its steps too large, right and too small."""
    found, accuracy = central(LADDER, *sides(lambda t: f(x + stretch * t)), EPS * (1 + abs(f(x))))
    assert abs(found - stretch * SLOPES[f](x)) <= accuracy


def test_a_smooth_function_is_measured_to_nine_digits() -> None:
    found, accuracy = central(LADDER, *sides(np.exp), EPS)
    assert accuracy < 1e-9
    assert found == pytest.approx(1, abs=1e-11)


def test_noise_is_what_was_put_in() -> None:
    rng = np.random.default_rng(0)
    found = [noise(lambda t: 3 + 2 * t + t**2 + 1e-9 * rng.normal()) for _ in range(50)]
    assert np.median(found) == pytest.approx(1e-9, rel=0.3)
    assert max(found) < derivative.ROUNDING * 1e-9
    assert min(found) > 1e-9 / derivative.ROUNDING


def test_noise_is_at_least_one_unit_in_the_last_place() -> None:
    assert noise(lambda _: 5.0) == 5 * EPS


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_rate_of_a_power_is_its_exponent(power: int) -> None:
    found = rate(LADDER, 0.3 * LADDER**power, 1e-30)
    assert found is not None
    assert found[0] == pytest.approx(power)
    assert found[1] == (LADDER[-1], LADDER[-4])


def test_the_rate_is_fitted_above_the_noise_only() -> None:
    found = rate(LADDER, LADDER**2 + 1e-9, 1e-9)
    assert found is not None
    assert found[0] == pytest.approx(2, abs=0.05)
    assert found[1][0] ** 2 > 100 * 1e-9


def test_a_straight_line_has_no_rate() -> None:
    assert rate(LADDER, np.full(10, 1e-17), 1e-17) is None


@pytest.mark.parametrize("f", [np.exp, np.sin, lambda t: np.tanh(3 + 20 * t), lambda t: 1 / (1 + 9 * t * t)])
def test_a_smooth_function_keeps_its_small_steps(f: Callable[[float], float]) -> None:
    above, below = sides(f)
    assert smooth_from(LADDER, above - 2 * f(0.0) + below, EPS) <= 4


@given(st.floats(-8, -1), st.floats(0.01, 10))
def test_steps_across_a_kink_that_are_kept_do_no_harm(exponent: float, jump: float) -> None:
    """A step may cross a kink so little that it looks smooth; the stated accuracy still holds."""
    at = 10.0**exponent
    above, below = sides(lambda t: float(np.exp(t)) + jump * max(t - at, 0))
    left = LADDER[smooth_from(LADDER, above - 2 + below, EPS) :]
    if len(left) >= derivative.FEWEST:
        kept = slice(-len(left), None)
        found, accuracy = central(left, above[kept], below[kept], EPS)
        assert abs(found - 1) <= accuracy


def test_a_kink_at_the_very_point_leaves_no_step() -> None:
    above, below = sides(lambda t: float(np.exp(t)) + max(t, 0))
    assert len(LADDER[smooth_from(LADDER, above - 2 + below, EPS) :]) < derivative.FEWEST
