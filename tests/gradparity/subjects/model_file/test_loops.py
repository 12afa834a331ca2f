"""A model of one's own that steps through time, and writes its names once in every step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import gradparity
from gradparity.protocol import Batch

STEPS = 3


def forward(p: Any, batch: Batch, c: Any) -> None:
    xp = array_namespace(batch.x)
    h = xp.zeros((batch.x.shape[0], 4), dtype=batch.x.dtype)
    for t in range(STEPS):
        c["z", t] = batch.x @ p["W"] + h @ p["U"]
        c["h", t] = xp.tanh(c["z", t])
        h = c["h", t]
    c["loss"] = xp.mean(c["h", STEPS - 1] ** 2)


def backward_with(slope: Callable[[Any], Any]) -> Callable[..., None]:
    def backward(p: Any, batch: Batch, c: Any, d: Any) -> None:
        last = c["h", STEPS - 1]
        d["h", STEPS - 1] = d["loss"] * 2 * last / (4 * last.shape[0])
        for t in reversed(range(STEPS)):
            d["z", t] = d["h", t] * slope(c["h", t])
            d.add("W", batch.x.T @ d["z", t])
            d.add("U", (c["h", t - 1] if t else 0 * c["h", 0]).T @ d["z", t])
            if t:
                d["h", t - 1] = d["z", t] @ p["U"].T

    return backward


def model(slope: Callable[[Any], Any]) -> dict[str, Any]:
    shapes = {"W": (3, 4), "U": (4, 4)}
    return {
        "param_shapes": shapes,
        "input_shape": 3,
        "num_classes": 2,
        "forward": forward,
        "backward": backward_with(slope),
    }


def test_a_right_one_agrees_on_arrays_over_time() -> None:
    report = gradparity.check(model(lambda h: 1 - h**2))
    report.assert_ok()
    assert {"z", "h"} <= {row.line for row in report.rows if row.kind == "gradient"}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_exactly_the_wrong_line_is_red_though_its_error_goes_through_all_time(backend: str) -> None:
    report = gradparity.check(model(lambda h: 1 - h), backends=["numpy", backend])
    wrong = {row.line for row in report.rows if row.kind == "gradient" and not row.agrees}
    assert wrong == {"z"}
    assert np.isfinite([row.error for row in report.rows]).all()
