from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.timing import unpaired_ratio
from gradparity_bench.changes import changes, changes_in_words, drift
from gradparity_bench.results import Limits, Measurement, Result

Make = Callable[..., Measurement]
MACHINE = {"CPU": "a CPU", "cores": "2", "torch": "2.12", "began": "2026-01-01"}


def _result(*measurements: Measurement, **machine: str) -> Result:
    return Result(MACHINE | machine, 0, measurements)


def test_equal_results_have_no_change(make_measurement: Make) -> None:
    same = _result(make_measurement({"numpy": 1e-3, "torch": 2e-3}))
    found = changes(same, same)
    assert not found.slower
    assert list(changes_in_words(found)) == [
        "0 of 4 timings changed beyond the noise; 4 did not.",
        "A change by less than 1.02× counts as noise here.",
    ]


def test_what_became_slower_or_faster_is_said_in_words(make_measurement: Make) -> None:
    old, new = (make_measurement({"numpy": 1e-3, "jax": a, "torch": b}) for a, b in ((1e-3, 2e-3), (1.3e-3, 1e-3)))
    found = changes(_result(old), _result(new, torch="2.13"))
    assert found.slower
    lines = list(changes_in_words(found))
    assert lines[0] == "torch: 2.12 before, 2.13 now"
    assert lines[1].startswith("jax became slower at mlp, ")
    assert "a step takes 1.3× what it took" in lines[1]
    assert any(line.startswith("torch became faster") and "0.5×" in line for line in lines)
    assert lines[-2] == "4 of 6 timings changed beyond the noise; 2 did not."
    assert not changes(_result(new), _result(replace(new, rows=(new.rows[0], old.rows[1], new.rows[2])))).slower


def test_a_change_within_the_noise_floor_of_either_run_is_none(make_measurement: Make) -> None:
    old, noisy = make_measurement({"numpy": 1e-3}), make_measurement({"numpy": 1.1e-3}, again=1.15)
    assert not changes(_result(old), _result(noisy)).slower
    assert changes(_result(old), _result(make_measurement({"numpy": 1.1e-3}))).slower


def test_what_slowed_the_whole_machine_is_no_change_of_a_backend(make_measurement: Make) -> None:
    old = make_measurement({"numpy": 1e-3})
    new = replace(make_measurement({"numpy": 1.1e-3}), limits=Limits((0.9e10,) * 5, (1e10,) * 5))
    assert not changes(_result(old), _result(new)).slower
    assert drift(old.limits, new.limits) == pytest.approx(1 / 0.9)
    assert drift(None, new.limits) == 1.0


def test_a_backend_that_is_not_timed_any_more_counts_as_slower(make_measurement: Make) -> None:
    old, new = make_measurement({"numpy": 1e-3, "jax": 1e-3}), make_measurement({"numpy": 1e-3, "jax": None})
    found = changes(_result(old), _result(new))
    assert found.slower
    assert any(line.startswith("jax is not timed any more") for line in changes_in_words(found))
    assert not changes(_result(new), _result(old)).slower


@pytest.mark.fault(kind="format")
def test_another_machine_and_other_points_are_refused_in_one_line(make_measurement: Make) -> None:
    one = _result(make_measurement({"numpy": 1e-3}))
    with pytest.raises(UsageError, match="one machine, got CPU 'a CPU' and 'another'"):
        changes(one, replace(one, manifest=MACHINE | {"CPU": "another"}))
    with pytest.raises(UsageError, match="the same point"):
        changes(one, _result(make_measurement({"numpy": 1e-3}, batch_size=7)))


def test_the_interval_of_an_unpaired_ratio_holds_the_truth_most_of_the_time() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(40):
        own, other = np.exp(rng.normal(np.log(1.5), 0.05, 30)), np.exp(rng.normal(0.0, 0.05, 30))
        ratio = unpaired_ratio(own.tolist(), other.tolist())
        inside += ratio.low <= 1.5 <= ratio.high
    assert inside >= 34


def test_too_few_rounds_have_no_interval() -> None:
    ratio = unpaired_ratio([1.0, 2.0], [1.0, 1.0, 1.0])
    assert (ratio.low, ratio.high) == (0.0, float("inf"))
