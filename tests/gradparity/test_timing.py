import time

import numpy as np

from gradparity.timing import ratios, take_turns


def test_every_call_has_its_turn_in_every_round_after_one_that_does_not_count() -> None:
    calls: list[str] = []
    seconds = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 30, np.random.default_rng(0))
    assert {name: len(own) for name, own in seconds.items()} == {"a": 30, "b": 30}
    rounds = [calls[i : i + 2] for i in range(0, len(calls), 2)]
    assert len(rounds) == 31
    assert all(sorted(turn) == ["a", "b"] for turn in rounds)
    assert ["a", "b"] in rounds
    assert ["b", "a"] in rounds


def test_what_is_timed_is_the_call() -> None:
    seconds = take_turns({"sleep": lambda: time.sleep(0.01)}, 3, np.random.default_rng(0))
    assert (seconds["sleep"] >= 0.01).all()


def test_ratios_are_taken_round_by_round() -> None:
    drift = np.array([1.0, 10.0, 100.0])
    assert ratios({"a": drift, "b": 2 * drift}, to="a") == {"a": (1.0, 1.0, 1.0), "b": (2.0, 2.0, 2.0)}
