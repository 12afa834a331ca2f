"""Workers take turns: each call of each worker once a round, in shuffled order, so that drift hits all alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity_bench.engine.process import Answers, WorkerError

ROUND_SECONDS = 0.02
"""How long the repetitions of one call last in one turn."""

Round = dict[str, dict[str, dict[str, Any]]]
"""Worker -> call -> what it answered."""


@dataclass(frozen=True)
class Player:
    """A worker, and how often it repeats each of its calls in a turn."""

    worker: Answers
    counts: Mapping[str, int]


def calibrated(worker: Answers, calls: tuple[str, ...]) -> Player:
    """Let a worker find how often it must repeat each call. Raises WorkerError."""
    counts = {call: int(worker.request("calibrate", call=call, seconds=ROUND_SECONDS)["count"]) for call in calls}
    return Player(worker, counts)


def take_turns(
    players: Mapping[str, Player], rounds: int, rng: np.random.Generator, failures: dict[str, WorkerError]
) -> Iterator[Round]:
    """Yield each finished round. All workers do one call before any does the next.

    Who fails is left out from then on, and is in ``failures``.
    """
    calls = dict.fromkeys(call for player in players.values() for call in player.counts)
    for _ in range(rounds):
        done: Round = {name: {} for name in players if name not in failures}
        for call in calls:
            able = [name for name in done if call in players[name].counts]
            for name in rng.permutation(able):
                try:
                    player = players[name]
                    done[name][call] = player.worker.request("time", call=call, count=player.counts[call])
                except WorkerError as failure:
                    failures[name] = failure
                    del done[name]
        yield done
