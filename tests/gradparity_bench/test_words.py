from collections.abc import Callable
from dataclasses import replace

import pytest

from gradparity_bench import words
from gradparity_bench.crossover import Crossover
from gradparity_bench.results import Measurement

Make = Callable[..., Measurement]
METHODS = {"torch-manual": 1e-3, "torch": 1.9e-3}


def test_a_machine_derivation_stands_beside_the_hand_derivation_of_its_library(make_measurement: Make) -> None:
    at_32, at_2048 = (
        make_measurement(METHODS, batch_size=32),
        make_measurement({**METHODS, "torch": 1e-3}, batch_size=2048),
    )
    assert words.verdicts([at_32]) == ["torch costs 1.9× its own hand derivation."]
    assert words.verdicts([at_32, at_2048]) == ["torch costs 1.9× its own hand derivation at batch 32; a tie at 2048."]
    assert words.verdicts([at_2048, at_32]) == words.verdicts([at_32, at_2048])


def test_other_backends_are_compared_with_the_first(make_measurement: Make) -> None:
    m = make_measurement({"numpy": 1e-3, "jax": 4.5e-4, "torch": 0.9995e-3})
    assert words.verdicts([m]) == ["jax takes 0.45× the time of numpy.", "torch and numpy tie."]


def test_equal_words_at_neighbouring_points_are_said_once(make_measurement: Make) -> None:
    found = [make_measurement({"numpy": 1e-3, "jax": s}, batch_size=n) for n, s in ((8, 1e-3), (16, 1e-3), (32, 2e-3))]
    assert words.verdicts(found) == ["jax and numpy tie at batch 8 and 16; 2× at 32."]
    assert words.verdicts(found[:2]) == ["jax and numpy tie at every point."]


def test_every_line_of_a_sweep_has_its_own_sentences(make_measurement: Make) -> None:
    found = [
        make_measurement({"numpy": 1e-3, "jax": 1e-3 * n * threads}, batch_size=n, threads=threads)
        for n, threads in ((2, 1), (4, 1), (8, 1), (2, 2), (4, 2), (8, 2))
    ]
    assert words.verdicts(found) == [
        "1 thread: jax takes 2× the time of numpy at batch 2; 4× at 4; 8× at 8.",
        "2 threads: jax takes 4× the time of numpy at batch 2; 8× at 4; 16× at 8.",
    ]


def test_a_point_where_a_backend_is_missing_is_left_out(make_measurement: Make) -> None:
    there, missing = (make_measurement({"numpy": 1e-3, "jax": s}, batch_size=n) for n, s in ((8, 2e-3), (16, None)))
    assert words.verdicts([there, missing]) == ["jax takes 2× the time of numpy at batch 8."]
    assert words.untimed(missing) == ["jax is not timed, not installed: 'jax' is not installed"]


def test_a_difference_within_the_noise_floor_is_a_tie(make_measurement: Make) -> None:
    m = make_measurement({"numpy": 1e-3, "jax": 1.15e-3}, again=1.2)
    assert words.verdicts([m]) == ["jax and numpy tie."]
    assert words.noise(m) == "noise floor 1.20×, from two copies of numpy: a ratio within it is a tie"


def test_a_ratio_outside_the_floor_with_an_interval_inside_is_unclear(make_measurement: Make) -> None:
    clear, noisy = make_measurement({"numpy": 1e-3, "jax": 2e-3}), make_measurement({"numpy": 1e-3}, batch_size=8)
    steps = (1e-3, 0.8e-3, 3e-3, 2e-3, 4e-3)
    row = clear.row("jax")
    assert row.rounds is not None
    noisy = replace(noisy, rows=(*noisy.rows, replace(row, rounds=replace(row.rounds, step=steps))))
    assert noisy.verdict("jax") == "unclear"
    assert words.verdicts([noisy]) == ["jax and numpy: too noisy to tell."]
    assert words.verdicts([clear, noisy]) == ["jax and numpy: too noisy to tell at batch 8; 2× at 64."]


def test_without_a_noise_floor_there_is_no_verdict(make_measurement: Make) -> None:
    m = replace(make_measurement({"numpy": 1e-3, "jax": 2e-3}), again=None)
    assert words.verdicts([m]) == []
    assert "without a noise floor" in words.noise(m)


def test_a_busy_machine_and_unasked_threads_are_said(make_measurement: Make) -> None:
    busy, wide = (make_measurement({"numpy": 1e-3, "jax": 1e-3}, threads_seen=seen) for seen in (0.4, 1.8))
    assert words.cautions([busy]) == [
        "the machine was busy with other work: numpy and jax had as little as 0.40 of a core"
    ]
    assert words.cautions([wide])[0] == "numpy ran on 1.80 threads, 1 asked"
    assert words.cautions([make_measurement({"numpy": 1e-3})]) == []


def test_a_crossover_is_named_in_the_axis_of_the_sweep(make_measurement: Make) -> None:
    # t = 100 µs + F / 1 GFLOP/s, with 5000 operations an example: equal at 20 examples.
    sizes = (1, 8, 64, 512)
    found = [make_measurement({"numpy": 1e-4 + 5e-6 * n}, batch_size=n) for n in sizes]
    ((common, (crossover,)),) = words.crossovers(found)
    assert common == ""
    said = words.describe_crossover(crossover, "batch_size")
    assert said == "numpy turns from dispatch-bound to compute-bound at about batch size 20"
    outside = Crossover("jax", 1e-4, 1e9, 1e5, None, "above")
    assert words.describe_crossover(outside, "batch_size") == "jax is dispatch-bound at every size"


def test_there_is_no_crossover_along_threads(make_measurement: Make) -> None:
    assert words.crossovers([make_measurement({"numpy": 1e-3}, threads=n) for n in (1, 2)]) == [("", [])]


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.9, "1.9×"), (0.453, "0.45×"), (1.052, "1.05×"), (0.951, "0.95×"), (12.4, "12×"), (1234.0, "1,234×")],
)
def test_ratios_have_two_digits_that_matter(ratio: float, said: str) -> None:
    assert words.times(ratio) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(9.82e-5, "98.2 µs"), (1.5e-3, "1.50 ms"), (2.0, "2.00 s"), (0.31, "310 ms"), (5e-8, "50.0 ns"), (None, "")],
)
def test_seconds_have_three_digits_and_a_unit(value: float | None, said: str) -> None:
    assert words.seconds(value) == said
