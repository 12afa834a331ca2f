import time
from collections.abc import Callable

import pytest

from gradparity.errors import UsageError
from gradparity_bench.engine.worker import Held, answer


class Clocked:
    """A call that takes so long on a clock of its own, which the worker reads."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.cpu, self.asked = 0.0, 0.0, 0
        self.seconds = seconds
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: self.cpu)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def repeat(self, count: int) -> Callable[[], None]:
        def timed() -> None:
            self.now += count * self.seconds
            self.cpu += 2 * count * self.seconds
            self.asked += count

        return timed

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("seconds", [1e-6, 3e-5, 0.004, 0.5])
def test_a_call_is_repeated_until_it_lasts_long_enough(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held({"step": Clocked(seconds, monkeypatch).repeat})
    count = answer({"do": "calibrate", "call": "step", "seconds": 0.02}, held)["count"]
    assert count == max(1, round(0.02 / seconds))


def test_what_is_timed_is_one_repetition_without_its_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clocked(0.001, monkeypatch)
    reply = answer({"do": "time", "call": "step", "count": 20}, Held({"step": clock.repeat}))
    assert reply["seconds"] == pytest.approx(0.001)
    assert reply["threads"] == pytest.approx(2)
    assert clock.asked == 22


def test_the_answer_waits_until_the_threads_are_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clocked(0.001, monkeypatch)

    def spin(seconds: float) -> None:
        clock.now += seconds
        if clock.now < 0.1:
            clock.cpu += seconds

    monkeypatch.setattr(time, "sleep", spin)
    answer({"do": "time", "call": "step", "count": 20}, Held({"step": clock.repeat}))
    assert 0.1 <= clock.now < 0.11


def test_threads_that_never_sleep_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clocked(0.001, monkeypatch)

    def spin(seconds: float) -> None:
        clock.now += seconds
        clock.cpu += seconds

    monkeypatch.setattr(time, "sleep", spin)
    answer({"do": "time", "call": "step", "count": 20}, Held({"step": clock.repeat}))
    assert clock.now < 1


@pytest.mark.fault(kind="backend")
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out of memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), "out of memory"),
        (RuntimeError("a shape\nis wrong"), "failed"),
        (UsageError("no such model"), "failed"),
    ],
)
def test_what_a_library_raises_is_an_answer_in_one_line(error: Exception, status: str) -> None:
    def repeat(_: int) -> Callable[[], None]:
        raise error

    found, reason = answer({"do": "time", "call": "step", "count": 1}, Held({"step": repeat}))["failure"]
    assert found == status
    assert "\n" not in reason
