import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.report.page import plots

_FEW = settings(max_examples=5, deadline=None)


def _texts(svg: str) -> list[str | None]:
    return [node.text for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]


def test_curves_that_coincide_take_turns_with_their_dashes() -> None:
    svg = plots.curves("loss", "loss", {"numpy": [2.0, 1.0], "jax": [2.0, 1.0], "torch": [2.0, 1.0]})
    assert len(set(re.findall(r"stroke-dashoffset: (\S+);", svg))) == 3
    assert {"numpy", "jax", "torch", "loss", "epoch"} <= set(_texts(svg))


def test_one_epoch_has_one_tick() -> None:
    assert "1" in _texts(plots.curves("loss", "loss", {"numpy": [2.5]}))


def test_a_zero_difference_has_its_own_line_at_the_bottom() -> None:
    assert "0" in _texts(plots.differences("numpy", {"jax": [0.0, 1e-8], "torch": [0.0, 2e-7]}))
    assert "0" not in _texts(plots.differences("numpy", {"jax": [1e-8, 2e-8]}))


def test_drift_has_a_curve_for_each_backend_and_one_for_rounding(
    make_comparison: Callable[..., Comparison], images: Dataset
) -> None:
    training = make_comparison(images).training
    assert training is not None
    texts = _texts(plots.drift(training, "float32"))
    assert {"numpy", "jax", "rounding explains", "steps", "distance, float32", "1", "10"} <= set(texts)


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, 1e-16), (float("inf"), float("inf")), (1e-300, 1e200)])
def test_drift_draws_any_distances(
    values: tuple[float, float], make_comparison: Callable[..., Comparison], images: Dataset
) -> None:
    training = make_comparison(images).training
    assert training is not None
    odd = replace(training, steps=2, distances={"float64": {"numpy": values}}, budgets={"float64": (1e-15, 2e-15)})
    assert "numpy" in _texts(plots.drift(odd, "float64"))


@_FEW
@given(st.lists(st.sampled_from([0.0, 1e-45, 3e-9, 1e-8, 0.4, 1e6]), min_size=1, max_size=5))
def test_any_differences_can_be_drawn(values: list[float]) -> None:
    assume(any(values))
    labels = _texts(plots.differences("numpy", {"jax": values}))
    assert ("0" in labels) == (0.0 in values)
    assert any(label.startswith("10") for label in labels if label)


@pytest.mark.parametrize(
    ("ratio", "tick"),
    [((1.0, 1.0, 1.0), "1"), ((2.1, 1.9, 2.3), "2"), ((4e3, 3e3, 5e3), "1000"), ((0.02, 0.01, 0.03), "0.1")],
)
def test_ratios_of_any_size_have_ticks_and_their_number(ratio: tuple[float, float, float], tick: str) -> None:
    texts = _texts(plots.intervals("numpy", {"numpy": (1.0, 1.0, 1.0), "jax": ratio}))
    assert tick in texts
    assert f"{ratio[0]:.2f}×" in texts
    assert {"numpy", "jax"} <= set(texts)
