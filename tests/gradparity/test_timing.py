import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.timing import (
    SMALLEST,
    SMALLEST_OF_SEVERAL,
    Ratio,
    Timings,
    Verdict,
    noise_floor,
    paired_ratio,
    time_in_turns,
    verdict,
)

ROUNDS = 60
SECONDS = st.lists(st.floats(1e-6, 1e3), min_size=3, max_size=40)


def synthetic(rng: np.random.Generator, factor: float, rounds: int = ROUNDS) -> tuple[float, ...]:
    """Draw seconds of a step: 2% of noise, and now and then a round in which something else had the core."""
    noise = rng.normal(0, 0.02, rounds) + (rng.random(rounds) < 0.1) * rng.exponential(0.5, rounds)
    return tuple(factor * np.exp(noise))


@given(SECONDS, st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_a_multiple_has_that_ratio_whatever_the_rounds(seconds: list[float], factor: float) -> None:
    ratio = paired_ratio([factor * s for s in seconds], seconds)
    assert ratio.low == pytest.approx(factor)
    assert ratio.high == pytest.approx(factor)
    assert ratio.value == pytest.approx(factor)


@given(SECONDS, st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_what_slows_a_whole_round_leaves_the_ratio_alone(seconds: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = np.asarray(seconds)
    other = own * np.exp(rng.normal(0, 0.1, len(own)))
    drift = np.exp(rng.normal(0, 2, len(own)))
    before = paired_ratio(own.tolist(), other.tolist())
    after = paired_ratio((own * drift).tolist(), (other * drift).tolist())
    assert (after.low, after.value, after.high) == pytest.approx((before.low, before.value, before.high))


@given(SECONDS, st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_ratio_the_other_way_round_is_the_reciprocal_and_the_interval_holds_the_ratio(
    seconds: list[float], seed: int
) -> None:
    other = (np.asarray(seconds) * np.exp(np.random.default_rng(seed).normal(0, 0.1, len(seconds)))).tolist()
    there, back = paired_ratio(seconds, other), paired_ratio(other, seconds)
    assert back.value == pytest.approx(1 / there.value)
    assert there.low <= there.value <= there.high


def test_two_rounds_say_nothing() -> None:
    assert paired_ratio([1.0, 1.0], [2.0, 2.0]) == Ratio(0.5, 0.0, math.inf)
    assert verdict(paired_ratio([1.0, 1.0], [2.0, 2.0]), floor=1.01) == "unclear"


def test_the_noise_floor_is_how_far_the_a_a_pair_is_from_one_on_either_side() -> None:
    assert noise_floor(Ratio(0.8, 0.7, 1.3)) == pytest.approx(1.25)
    assert noise_floor(Ratio(1.2, 0.9, 1.3)) == pytest.approx(1.2)
    assert noise_floor(Ratio(1.001, 0.9, 1.1)) == pytest.approx(math.exp(SMALLEST))


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (Ratio(1.2, 1.11, 1.3), "slower"),
        (Ratio(1.2, 1.09, 1.3), "unclear"),
        (Ratio(1.08, 0.9, 1.3), "tie"),
        (Ratio(1.0, 0.95, 1.05), "tie"),
        (Ratio(0.9, 0.85, 0.95), "unclear"),
        (Ratio(0.9, 0.85, 0.90), "faster"),
    ],
)
def test_only_an_interval_wholly_beyond_the_floor_is_a_difference(ratio: Ratio, said: str) -> None:
    assert verdict(ratio, floor=1.1) == said


@pytest.mark.parametrize(("factor", "said"), [(1.0, "tie"), (1.05, "slower"), (1 / 1.05, "faster")])
def test_five_percent_is_seen_and_two_copies_tie_in_nineteen_of_twenty_runs(factor: float, said: Verdict) -> None:
    verdicts: list[Verdict] = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first, again, other = synthetic(rng, 1.0), synthetic(rng, 1.0), synthetic(rng, factor)
        verdicts.append(verdict(paired_ratio(other, first), noise_floor(paired_ratio(again, first))))
    assert verdicts.count(said) >= 19


def of_processes(rng: np.random.Generator, factor: float, spread: float) -> tuple[float, ...]:
    """Draw seconds of 12 processes with 6 rounds each: every process is faster or slower throughout, by a spread."""
    each = rng.normal(0, spread, (12, 1)) + rng.normal(0, 0.01, (12, 6))
    each += (rng.random((12, 6)) < 0.05) * rng.exponential(0.3, (12, 6))
    return tuple(factor * np.exp(each.ravel()))


SITTINGS = tuple(np.repeat(np.arange(12), 6).tolist())


@pytest.mark.parametrize(("factor", "said"), [(1.0, "tie"), (1.02, "slower"), (1 / 1.02, "faster")])
def test_several_processes_tell_two_percent_from_two_copies_in_nineteen_of_twenty_runs(
    factor: float, said: Verdict
) -> None:
    verdicts: list[Verdict] = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first, again, other = (of_processes(rng, each, 0.003) for each in (1.0, 1.0, factor))
        floor = noise_floor(paired_ratio(again, first, SITTINGS), SMALLEST_OF_SEVERAL)
        verdicts.append(verdict(paired_ratio(other, first, SITTINGS), floor))
    assert verdicts.count(said) >= 38


def test_only_the_processes_interval_covers_what_processes_differ_by() -> None:
    # Two copies whose processes differ by 2%: the rounds of one process agree on a difference that there is not.
    covered = {"processes": 0, "rounds": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        own, other = (of_processes(rng, 1.0, 0.02) for _ in range(2))
        ratios = {"processes": paired_ratio(own, other, SITTINGS), "rounds": paired_ratio(own[:6] * 12, other[:6] * 12)}
        for unit, ratio in ratios.items():
            covered[unit] += ratio.low <= 1.0 <= ratio.high
    assert covered["processes"] >= 35
    assert covered["rounds"] < 20


def test_fewer_than_three_processes_are_not_resampled_but_their_rounds() -> None:
    own, other = (1.0, 1.1, 1.2, 1.3), (1.0, 1.0, 1.0, 1.0)
    assert paired_ratio(own, other, (0, 0, 1, 1)) == paired_ratio(own, other)
    assert paired_ratio(own, other, (0, 1, 2, 2)) != paired_ratio(own, other)


def test_every_call_has_its_turn_in_every_round_and_the_order_is_shuffled() -> None:
    calls: list[str] = []
    timings = time_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, lambda: None, 8, seed=0)
    assert {name: len(own) for name, own in timings.seconds.items()} == {"a": 8, "b": 8}
    assert len(timings.again) == 8
    turns = [calls[i] for i in range(len(calls)) if i == 0 or calls[i] != calls[i - 1]]
    assert {"a", "b"} == set(turns)
    assert 8 < len(turns) < 16  # where a round ends and the next begins with the same name, two turns look like one


def test_a_call_settles_before_it_is_timed() -> None:
    took = iter([0.06, 0.001] * 4)
    timings = time_in_turns({"slow at first": lambda: time.sleep(next(took))}, lambda: None, 4, seed=0)
    assert max(timings.seconds["slow at first"]) < 0.05


def test_what_is_timed_is_the_call() -> None:
    timings = time_in_turns({"sleep": lambda: time.sleep(0.01)}, lambda: None, 3, seed=0)
    assert min(timings.seconds["sleep"]) >= 0.01


def test_timings_are_compared_round_by_round_with_the_first_beside_its_second_copy() -> None:
    drift = (1.0, 10.0, 100.0)
    timings = Timings({"a": drift, "b": (2.0, 20.0, 200.0)}, again=(1.1, 11.0, 110.0))
    assert timings.base == "a"
    assert timings.ratio("a") == Ratio(1.0, 1.0, 1.0)
    assert timings.ratio("b").value == pytest.approx(2)
    assert timings.noise_floor == pytest.approx(1.1)
    assert (timings.verdict("a"), timings.verdict("b")) == ("tie", "slower")
