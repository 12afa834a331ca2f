from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradparity import registry
from gradparity.parity.beside import run_beside
from gradparity.parity.problem import Written
from gradparity.protocol import Batch, HandDerivation, Trace

P = {"W": np.arange(6.0).reshape(3, 2)}
BATCH = Batch(np.ones((4, 3)), np.ones((4, 2)))
TRUTH = Trace(
    {"z": np.full((4, 2), 5.0), "a": np.full((4, 2), 6.0)},
    {"z": np.full((4, 2), 7.0), "a": np.full((4, 2), 8.0), "W": np.full((3, 2), 9.0)},
)


def beside(lines: Callable[[Any, Any, Any, Any], None]) -> Written:
    """Run a backward pass of these lines on (d, c, p, batch)."""

    def backward(p: Any, batch: Any, c: Any, d: Any) -> None:
        lines(d, c, p, batch)

    def forward(p: Any, batch: Any, c: Any) -> None:
        c["z"] = batch.x @ p["W"]
        c["a"] = c["z"] + 1

    return run_beside(HandDerivation(forward, backward), registry.backend("numpy"), "float64", P, BATCH, TRUTH)


def test_a_local_variable_that_was_written_to_d_holds_the_witness_s_gradient_from_then_on() -> None:
    def lines(d: Any, c: Any, _: Any, batch: Any) -> None:
        da = 100 * c["a"]
        d["a"] = da
        dz = 2 * da
        d["z"] = dz[:]
        d["W"] = batch.x.T @ dz

    written = beside(lines).gradients
    assert np.array_equal(written["a"], np.full((4, 2), 600.0)), "what was written is kept"
    assert np.array_equal(written["z"], np.full((4, 2), 16.0))
    assert np.array_equal(written["W"], np.full((3, 2), 28.0))


def test_one_array_under_two_names_is_written_to_both_as_it_was() -> None:
    def lines(d: Any, c: Any, *_: Any) -> None:
        d["a"] = d["z"] = 100 * c["a"]

    written = beside(lines).gradients
    assert np.array_equal(written["a"], written["z"])


@pytest.mark.parametrize("holder", ["p", "batch", "c", "d"])
def test_an_array_that_was_given_is_never_changed(holder: str) -> None:
    def lines(d: Any, c: Any, p: Any, batch: Any) -> None:
        d["a"] = 1.0 * c["a"]
        own = {"p": p["W"], "batch": batch.y, "c": c["z"], "d": d["a"]}[holder]
        before = own.copy()
        d["W" if holder == "p" else "z"] = own
        assert np.array_equal(own, before)

    beside(lines)
    assert np.array_equal(TRUTH.gradients["a"], np.full((4, 2), 8.0))


def test_each_share_of_a_sum_is_kept() -> None:
    def lines(d: Any, _: Any, p: Any, *__: Any) -> None:
        d.add("W", p["W"])
        d.add("W", 2 * p["W"])

    written = beside(lines)
    assert [np.array_equal(share, k * P["W"]) for k, share in zip((1, 2), written.shares["W"], strict=True)] == [
        True
    ] * 2
    assert np.array_equal(written.gradients["W"], 3 * P["W"])
