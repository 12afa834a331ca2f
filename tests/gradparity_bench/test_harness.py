import os
import sys

from gradparity import registry
from gradparity_bench.harness import BACKENDS, registered, run_in_words
from gradparity_bench.harness_backends import SLOWER, SWEEPS, Products, copy, null, slower, steady
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point, Rounds, Standing


def test_the_stand_ins_are_registered_for_as_long_as_they_are_needed() -> None:
    before = os.environ.get("PYTHONPATH"), list(sys.path)
    with registered():
        assert set(BACKENDS) <= set(registry.names())
        assert registry.backend("slower") is slower
    assert not set(BACKENDS) & set(registry.names())
    assert (os.environ.get("PYTHONPATH"), sys.path) == before


def test_the_slower_stand_in_does_five_percent_more_and_the_null_does_nothing() -> None:
    assert copy.work == steady.work == Products(SWEEPS)
    assert slower.work == Products(420)
    assert SLOWER * SWEEPS == 420
    assert not isinstance(null.work, Products)


def test_a_run_is_said_in_one_line() -> None:
    def row(name: str, seconds: float) -> Standing:
        same = (seconds,) * 3
        rounds = Rounds(same, same, same, same, threads=(1.0,) * 3)
        return Standing(name, "numpy", "hand", "timed", rounds=rounds)

    point = Point("softmax_regression", {}, 8, "float32", 1)
    rows = (row("steady", 1.0), row("slower", 1.05), Standing("copy", "", None, "died", "it ended"))
    said = run_in_words(Measurement(point, 1, 1, 8, rows, again=row("steady", 1.0)))
    assert said == "noise floor 1.020, slower 1.050 (1.050–1.050) slower, copy died: it ended"
