from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.models import MLP
from gradparity.report.page import panels

MakeComparison = Callable[..., Comparison]


def _with_gradients(comparison: Comparison, **gradients: dict[str, np.ndarray]) -> Comparison:
    runs = tuple(
        replace(run, first_gradients=gradients.get(run.backend, run.first_gradients)) for run in comparison.runs
    )
    return replace(comparison, runs=runs)


def test_the_columns_of_a_single_matrix_are_classes(make_comparison: MakeComparison, images: Dataset) -> None:
    weights = panels.weights(make_comparison(images))
    assert weights is not None
    assert (weights.parameter, weights.backend, weights.columns) == ("W", "numpy", 5)
    assert [picture.label for picture in weights.pictures] == [f"class {i}" for i in range(5)]


def test_the_columns_of_a_first_layer_are_units_and_at_most_twenty_are_shown(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    weights = panels.weights(make_comparison(images, spec=MLP((12, 25, 5))))
    assert weights is not None
    assert (weights.parameter, weights.columns, len(weights.pictures)) == ("W1", 25, panels.MOST_WEIGHTS)
    assert weights.pictures[-1].label == "unit 19"


def test_data_without_images_has_no_weights_to_show(make_comparison: MakeComparison, real_targets: Dataset) -> None:
    assert panels.weights(make_comparison(real_targets, spec=MLP((7, 4, 3), loss="squared_error"))) is None


def test_the_difference_has_a_scale_of_its_own(make_comparison: MakeComparison, images: Dataset) -> None:
    hand, machine = np.full((12, 5), 0.5), np.full((12, 5), 0.5)
    machine[0, 0] += 6e-9
    comparison = _with_gradients(make_comparison(images), numpy={"W": hand}, jax={"W": machine})
    shown = panels.gradients(comparison)
    assert shown is not None
    assert [row.label for row in shown.rows] == ["by hand (numpy)", "by machine (jax)", "difference"]
    assert [row.scale for row in shown.rows] == ["0.5", "0.5", "6.0×10⁻⁹"]
    assert shown.relative == "1.2×10⁻⁸"
    assert not shown.whole


def test_equal_gradients_have_no_difference(make_comparison: MakeComparison, images: Dataset) -> None:
    shown = panels.gradients(make_comparison(images))
    assert shown is not None
    assert (shown.relative, shown.rows[2].scale) == ("", "0")


def test_a_unit_that_gets_no_gradient_is_named(make_comparison: MakeComparison, images: Dataset) -> None:
    gradient = np.ones((12, 25))
    gradient[:, 3] = 0
    comparison = make_comparison(images, spec=MLP((12, 25, 5)))
    shown = panels.gradients(_with_gradients(comparison, numpy={"W1": gradient}, jax={"W1": gradient}))
    assert shown is not None
    assert shown.silent == ["unit 3"]


def test_without_images_the_whole_matrix_is_one_picture(make_comparison: MakeComparison, real_targets: Dataset) -> None:
    shown = panels.gradients(make_comparison(real_targets, spec=MLP((7, 4, 3), loss="squared_error")))
    assert shown is not None
    assert shown.whole
    assert [len(row.pictures) for row in shown.rows] == [1, 1, 1]
    assert shown.rows[0].pictures[0].label == "all 7 × 4 entries"


@pytest.mark.parametrize("backends", [("numpy",), ("jax", "torch")])
def test_one_way_of_deriving_alone_has_no_pair(
    make_comparison: MakeComparison, images: Dataset, backends: tuple[str, ...]
) -> None:
    assert panels.gradients(make_comparison(images, backends=backends)) is None
