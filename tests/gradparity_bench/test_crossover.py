import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.errors import UsageError
from gradparity_bench.crossover import crossover
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point, Rounds, Standing

SIZES = (8, 32, 128, 512, 2048)
FLOPS_PER_SIZE = 1e5


def constant(seconds: float) -> Rounds:
    """Three rounds in which every call takes these seconds."""
    same = (seconds,) * 3
    return Rounds(same, same, same, same, threads=(1.0,) * 3)


def along(seconds: dict[int, float], growing: bool = True) -> list[Measurement]:
    """Return measurements whose step takes these seconds, with operations in proportion to the size."""
    return [
        Measurement(
            Point("mlp", {}, size, "float32", 1),
            flops=int(FLOPS_PER_SIZE * (size if growing else 1)),
            bytes=1,
            examples=size,
            rows=(Standing("jax", "jax", "machine", "timed", rounds=constant(s)),),
        )
        for size, s in seconds.items()
    ]


@given(st.floats(10, 2000), st.floats(1e-6, 1e-2))
@settings(max_examples=30, deadline=None)
def test_a_step_that_is_fixed_cost_and_arithmetic_crosses_over_where_they_are_equal(size: float, fixed: float) -> None:
    rate = size * FLOPS_PER_SIZE / fixed
    found = crossover(along({s: fixed + s * FLOPS_PER_SIZE / rate for s in SIZES}), SIZES, "jax")
    assert found is not None
    assert found.where == "within"
    assert found.fixed_seconds == pytest.approx(fixed, rel=1e-3)
    assert found.flops_per_second == pytest.approx(rate, rel=1e-3)
    assert found.size == pytest.approx(size, rel=1e-2)


def test_a_step_that_hardly_grows_is_bound_by_its_calls_at_every_size() -> None:
    found = crossover(along({s: 1e-4 * (1 + s / 1e6) for s in SIZES}), SIZES, "jax")
    assert found is not None
    assert (found.where, found.size) == ("above", None)


def test_a_step_that_grows_from_the_first_size_on_is_bound_by_its_arithmetic() -> None:
    found = crossover(along({s: 1e-6 * (1 + s) for s in SIZES}), SIZES, "jax")
    assert found is not None
    assert (found.where, found.size) == ("below", None)


def test_two_sizes_do_not_show_it() -> None:
    assert crossover(along({8: 1.0, 32: 2.0}), (8, 32), "jax") is None


def test_a_size_that_makes_no_larger_step_is_refused() -> None:
    with pytest.raises(UsageError, match="makes a step larger"):
        crossover(along(dict.fromkeys(SIZES, 1.0), growing=False), SIZES, "jax")
