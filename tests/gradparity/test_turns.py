from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from gradparity.timing import take_turns

CALLS = {"step": 40, "loss": 90}
Round = dict[str, dict[str, float]]


class LostError(Exception):
    """What a player raises that stops working."""


class Player:
    """Writes down who was asked for what, and stops working after so many requests."""

    def __init__(self, name: str, log: list[tuple[str, str]], works: int = 1000) -> None:
        self.name, self.log, self.works = name, log, works

    def turn(self, call: str, count: int) -> float:
        if self.works == 0:
            raise LostError("it ended")
        self.works -= 1
        self.log.append((self.name, call))
        return float(count)

    def calls(self, counts: dict[str, int]) -> dict[str, Callable[[], float]]:
        return {call: partial(self.turn, call, count) for call, count in counts.items()}


def played(names: str, rounds: int, seed: int = 0, **works: int) -> tuple[list[Round], list[tuple[str, str]], Any]:
    log: list[tuple[str, str]] = []
    failures: dict[str, LostError] = {}
    players = {name: Player(name, log, works.get(name, 1000)).calls(CALLS) for name in names}
    done = list(take_turns(players, rounds, np.random.default_rng(seed), LostError, failures))
    return done, log, failures


def test_in_each_round_each_call_is_timed_once_in_every_worker_before_the_next_call() -> None:
    rounds, log, failures = played("abc", rounds=12)
    assert not failures
    assert len(rounds) == 12
    for turn in range(24):
        group = log[3 * turn : 3 * turn + 3]
        assert {name for name, _ in group} == {"a", "b", "c"}
        assert {call for _, call in group} == {"step" if turn % 2 == 0 else "loss"}
    for finished in rounds:
        assert finished == {name: {"step": 40.0, "loss": 90.0} for name in "abc"}


def test_every_order_comes_up_and_the_seed_decides_which() -> None:
    _, log, _ = played("abc", rounds=60)
    orders = {tuple(name for name, _ in log[i : i + 3]) for i in range(0, len(log), 3)}
    assert len(orders) == 6
    assert played("abc", rounds=5, seed=1)[1] == played("abc", rounds=5, seed=1)[1]
    assert played("abc", rounds=5, seed=1)[1] != played("abc", rounds=5, seed=2)[1]


@pytest.mark.parametrize("works", [0, 1, 2, 7])
def test_a_worker_that_dies_costs_its_own_turns_only(works: int) -> None:
    rounds, log, failures = played("abc", rounds=6, b=works)
    assert set(failures) == {"b"}
    assert len(rounds) == 6
    assert all({"a", "c"} <= set(finished) for finished in rounds)
    assert all(len(calls) == 2 for finished in rounds for calls in finished.values())
    assert [name for name, _ in log].count("b") == works


def test_players_with_calls_of_their_own_take_part() -> None:
    log: list[tuple[str, str]] = []
    players = {"a": Player("a", log).calls(CALLS), "limits": Player("limits", log).calls({"copy": 3})}
    (finished,) = take_turns(players, 1, np.random.default_rng(0))
    assert finished["limits"] == {"copy": 3.0}
    assert set(finished["a"]) == {"step", "loss"}
