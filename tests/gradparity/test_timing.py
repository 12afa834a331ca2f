import time

import numpy as np

from gradparity.timing import ratios, take_turns


def test_every_call_has_its_turn_in_every_round_and_the_order_is_shuffled() -> None:
    calls: list[str] = []
    seconds = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 8, np.random.default_rng(0))
    assert {name: len(own) for name, own in seconds.items()} == {"a": 8, "b": 8}
    turns = [calls[i] for i in range(len(calls)) if i == 0 or calls[i] != calls[i - 1]]
    assert {"a", "b"} == set(turns)
    assert 8 < len(turns) < 16  # where a round ends and the next begins with the same name, two turns look like one


def test_a_call_settles_before_it_is_timed() -> None:
    took = iter([0.06, 0.001] * 4)
    seconds = take_turns({"slow at first": lambda: time.sleep(next(took))}, 4, np.random.default_rng(0))
    assert (seconds["slow at first"] < 0.05).all()


def test_what_is_timed_is_the_call() -> None:
    seconds = take_turns({"sleep": lambda: time.sleep(0.01)}, 3, np.random.default_rng(0))
    assert (seconds["sleep"] >= 0.01).all()


def test_ratios_are_taken_round_by_round() -> None:
    drift = np.array([1.0, 10.0, 100.0])
    assert ratios({"a": drift, "b": 2 * drift}, to="a") == {"a": (1.0, 1.0, 1.0), "b": (2.0, 2.0, 2.0)}
