import os
import sys
from dataclasses import replace

import numpy as np

from gradparity import SoftmaxRegression, registry
from gradparity.protocol import Examples
from gradparity_bench.harness import BACKENDS, registered, run_in_words
from gradparity_bench.harness_backends import SLOWER, SWEEPS, Products, StandInRuntime, copy, null, slower, steady
from gradparity_bench.results import Measurement
from gradparity_bench.standings import Point, Rounds, Standing


def test_the_stand_ins_are_registered_for_as_long_as_they_are_needed() -> None:
    before = os.environ.get("PYTHONPATH"), list(sys.path)
    with registered():
        assert set(BACKENDS) <= set(registry.names())
        assert registry.backend("slower") is slower
    assert not set(BACKENDS) & set(registry.names())
    assert (os.environ.get("PYTHONPATH"), sys.path) == before


def test_the_slower_stand_in_does_two_percent_more_and_the_null_does_nothing() -> None:
    assert copy.runtime == steady.runtime == StandInRuntime(Products(SWEEPS))
    assert slower.runtime == StandInRuntime(Products(408))
    assert SLOWER * SWEEPS == 408
    assert isinstance(null.runtime, StandInRuntime)
    assert not isinstance(null.runtime.work, Products)


def test_a_stand_in_trains_nothing_and_does_its_work_in_every_step() -> None:
    done = []
    backend = replace(null, runtime=StandInRuntime(lambda: done.append(1)))
    spec = SoftmaxRegression(features=4, classes=3)
    rng = np.random.default_rng(0)
    params, batch = spec.init(rng), spec.example_batch(rng, 6)
    step = backend.model(spec).train_step(backend.optimizer("sgd", lr=0.1))
    state, losses = step.epoch(step.start(params), step.load(Examples(batch.x, batch.y)), np.arange(6), 2)
    assert len(done) == 3
    np.testing.assert_array_equal(losses, np.zeros(3))
    np.testing.assert_array_equal(step.params(state)["W"], params["W"].astype(np.float32))


def test_a_run_is_said_in_one_line() -> None:
    def row(name: str, seconds: float) -> Standing:
        same = (seconds,) * 3
        rounds = Rounds(same, same, same, same, threads=(1.0,) * 3)
        return Standing(name, "numpy", "hand", "timed", rounds=rounds)

    point = Point("softmax_regression", {}, 8, "float32", 1)
    rows = (row("steady", 1.0), row("slower", 1.05), Standing("copy", "", None, "died", "it ended"))
    said = run_in_words(Measurement(point, 1, 1, 8, rows, again=row("steady", 1.0)))
    assert said == "noise floor 1.020, slower 1.050 (1.050–1.050) slower, copy died: it ended"
