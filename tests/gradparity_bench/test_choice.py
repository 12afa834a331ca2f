from collections.abc import Callable

import pytest

from gradparity_bench.choice import choices
from gradparity_bench.results import Measurement

Make = Callable[..., Measurement]


def test_at_one_size_the_fastest_is_chosen_and_whoever_ties_with_it_is_named(make_measurement: Make) -> None:
    (said,) = choices([make_measurement({"numpy": 1.0, "jax": 0.4, "torch": 0.401}, batch_size=32)])
    assert said == (
        "Choose jax (torch as fast) for mlp, inputs 64, width 32, depth 2, outputs 10, batch 32, 1 thread, float32."
    )


def test_the_turn_is_where_the_two_curves_meet(make_measurement: Make) -> None:
    # On log axes the ratio goes from 2 at batch 16 to 1/2 at batch 256: they meet half-way.
    line = [
        make_measurement({"numpy": 1.0, "jax": 2.0}, batch_size=16),
        make_measurement({"numpy": 4.0, "jax": 2.0}, batch_size=256),
    ]
    assert choices(line) == choices(line[::-1]) == ("Choose numpy below batch 64, jax above.",)


def test_who_ties_is_kept_so_that_as_few_as_possible_are_named(make_measurement: Make) -> None:
    seconds = {16: (1.0, 2.0, 2.0), 64: (1.001, 1.0, 2.0), 256: (4.0, 1.0, 0.5), 1024: (8.0, 2.0, 0.9)}
    line = [
        make_measurement(dict(zip(("numpy", "jax", "torch"), own, strict=True)), batch_size=n)
        for n, own in seconds.items()
    ]
    assert choices(line) == ("Choose numpy below batch 90, torch above.",)
    assert choices(line[2:]) == ("Choose torch from batch 256 to 1024.",)


def test_three_that_take_over_from_each_other_are_named_in_turn(make_measurement: Make) -> None:
    line = [
        make_measurement({"numpy": 1.0, "jax": 2.0, "torch": 4.0}, batch_size=4),
        make_measurement({"numpy": 2.0, "jax": 1.0, "torch": 2.0}, batch_size=16),
        make_measurement({"numpy": 4.0, "jax": 2.0, "torch": 1.0}, batch_size=64),
    ]
    assert choices(line) == ("Choose numpy below batch 8, jax from there to 32, torch above.",)


@pytest.mark.parametrize("steps", [{"numpy": 1.0}, {"numpy": 1.0, "jax": None}, {"jax": None}])
def test_nothing_is_chosen_from_fewer_than_two(make_measurement: Make, steps: dict[str, float | None]) -> None:
    assert choices([make_measurement(steps)]) == ()


def test_each_line_of_a_sweep_has_its_own_sentence(make_measurement: Make) -> None:
    found = [
        make_measurement({"numpy": 1.0, "jax": jax}, batch_size=n, dtype=dtype)
        for dtype, n, jax in (("float32", 8, 0.5), ("float32", 64, 0.5), ("float64", 8, 2.0), ("float64", 64, 2.0))
    ]
    assert choices(found) == ("float32: Choose jax from batch 8 to 64.", "float64: Choose numpy from batch 8 to 64.")
