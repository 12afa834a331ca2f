"""Matrices as small pictures: blue below zero, red above, white at zero."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.image import imsave

COLOR_MAP = "RdBu_r"


class Picture(NamedTuple):
    """A picture in the page itself."""

    label: str
    source: str
    """A data: address that holds the whole PNG."""


def pictures(
    columns: Float[np.ndarray, "features columns"], image_shape: tuple[int, int], scale: float, noun: str
) -> list[Picture]:
    """Show each column as an image of this (height, width), on a colour scale from −scale to scale."""
    return [
        Picture(f"{noun} {i}", picture(column.reshape(image_shape), scale))
        for i, column in enumerate(np.asarray(columns).T)
    ]


def picture(matrix: Float[np.ndarray, "height width"], scale: float) -> str:
    """Return a data: address of a PNG with one pixel per entry; a scale of zero shows everything as zero."""
    limit = scale or 1.0
    file = io.BytesIO()
    imsave(file, matrix, vmin=-limit, vmax=limit, cmap=COLOR_MAP, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def color_bar() -> str:
    """Return a data: address of the colour scale, lowest value on the left."""
    return picture(np.linspace(-1, 1, 255)[None, :], 1.0)


def largest(matrix: Float[np.ndarray, "rows columns"]) -> float:
    """Return the largest absolute entry: the end of a colour scale that is symmetric around 0."""
    return float(np.max(np.abs(matrix)))
