import base64
import io

import numpy as np
from PIL import Image

from gradparity.report.page import panels


def _pixels(source: str) -> np.ndarray:
    kind, _, data = source.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def test_blue_is_below_zero_and_red_above_and_zero_is_pale() -> None:
    (below, zero, above), *_ = _pixels(panels.picture(np.array([[-1.0, 0.0, 1.0]]), 1.0))
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert zero.min() > 240


def test_the_scale_is_symmetric_around_zero_whatever_the_entries() -> None:
    (zero,), *_ = _pixels(panels.picture(np.array([[0.0]]), 5.0))
    assert zero.min() > 240
    assert _pixels(panels.picture(np.array([[0.0]]), 0.0)).min() > 240


def test_each_column_becomes_an_image_of_the_given_shape() -> None:
    columns = np.zeros((6, 2))
    columns[4, 1] = 1.0  # row 1, column 1 of a 2 × 3 image
    first, second = panels.pictures(columns, (2, 3), 1.0, "class")
    assert (first.label, second.label) == ("class 0", "class 1")
    marked = _pixels(second.source).min(axis=2) < 240
    assert marked.tolist() == [[False, False, False], [False, True, False]]
    assert (_pixels(first.source).min(axis=2) > 240).all()


def test_the_colour_bar_runs_from_blue_to_red() -> None:
    (bar,) = _pixels(panels.color_bar())
    assert bar[0][2] > bar[0][0]
    assert bar[-1][0] > bar[-1][2]
    assert bar[len(bar) // 2].min() > 240


def test_largest_is_by_absolute_value() -> None:
    assert panels.largest(np.array([[1.0, -3.0]])) == 3.0
