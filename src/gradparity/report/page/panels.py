"""What the page shows of arrays: the weights that were learned, a gradient derived in two ways, and a wrong line.

A matrix is a small picture: blue below zero, red above, white at zero.
"""

import base64
import io
import linecache
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.image import imsave

from gradparity import registry
from gradparity.comparison import Comparison, TrainedBackend
from gradparity.drawing.words import number
from gradparity.parity import Report
from gradparity.parity.rows import Row
from gradparity.protocol import Differentiation, Line

COLOR_MAP = "RdBu_r"
MOST_WEIGHTS = 20
MOST_GRADIENTS = 5
MOST_LINES = 6
"""Wrong lines that are drawn."""
MOST_ENTRIES = 100
"""Rows and columns of a wrong line's array that are drawn."""


class Picture(NamedTuple):
    """A picture in the page itself."""

    label: str
    source: str
    """A data: address that holds the whole PNG."""


class Weights(NamedTuple):
    """The columns of the first matrix after training, as images on one colour scale."""

    parameter: str
    backend: str
    noun: str
    """What a column is: "class" or "unit"."""
    pictures: list[Picture]
    columns: int
    """How many columns there are, shown or not."""
    scale: str


class PictureRow(NamedTuple):
    """Pictures on one colour scale."""

    label: str
    pictures: list[Picture]
    scale: str


class GradientPanel(NamedTuple):
    """The first gradient by hand, by machine, and their difference."""

    parameter: str
    rows: tuple[PictureRow, PictureRow, PictureRow]
    whole: bool
    """Whether the whole matrix is one picture, because the data are no images."""
    relative: str
    """The largest difference as a share of the largest entry; empty where there is none."""
    noun: str
    silent: list[str]
    """The pictures of columns that get no gradient at all."""


class WrongLine(NamedTuple):
    """A wrong line: where it is written, what it should say, and its array beside the witness's."""

    name: str
    place: str
    source: str
    formula: str
    """LaTeX; empty where the model comes without."""
    pictures: tuple[tuple[Picture, str], ...]
    """Each with its scale."""
    part: str
    """Which part of the array is shown; empty where it is whole."""


def evidence(report: Report, derivation: Sequence[Line]) -> list[WrongLine]:
    """Return what there is to see of each wrong line, as far as its array and the witness's have one shape."""
    rules = {line.name: line for line in derivation}
    return [_seen(row, rules.get(row.line)) for row in report.findings[:MOST_LINES] if row.arrays is not None]


def _seen(row: Row, rule: Line | None) -> WrongLine:
    hand, machine = (_flat(array) for array in row.arrays or ())
    shared = max(largest(hand), largest(machine))
    difference = hand - machine
    drawn = (
        (row.backend, hand, shared),
        (row.witness, machine, shared),
        ("difference", difference, largest(difference)),
    )
    file, _, line = row.place.rpartition(":")
    source = linecache.getline(file, int(line)).strip() if Path(file).is_file() and line.isdigit() else ""
    formula = "" if rule is None else rule.forward if row.kind == "value" else rule.backward
    pictures = tuple((Picture(label, picture(matrix, scale)), number(scale)) for label, matrix, scale in drawn)
    whole = (row.arrays or (hand,))[0].size
    part = f"{hand.size:,} of {whole:,} entries" if hand.size < whole else ""
    return WrongLine(row.name, row.place, source, formula, pictures, part)


def _flat(array: np.ndarray) -> Float[np.ndarray, "rows columns"]:
    """Lay an array out as a matrix, as much of it as can be seen; what is no number is shown as 0."""
    matrix = np.asarray(array, np.float64)
    matrix = matrix.reshape(len(matrix) if matrix.ndim > 1 else 1, -1)
    return np.nan_to_num(matrix[:MOST_ENTRIES, :MOST_ENTRIES], posinf=0.0, neginf=0.0)


def weights(comparison: Comparison) -> Weights | None:
    """Return the first run's weights after the last epoch; None where data or model give no images."""
    name, shape, run = _first_matrix(comparison), comparison.dataset.image_shape, comparison.runs[0]
    if name is None or shape is None:
        return None
    matrix = run.epochs[-1].params[name]
    shown, noun = matrix[:, :MOST_WEIGHTS], _noun(comparison)
    scale = largest(shown)
    images = pictures(shown, shape, scale, noun)
    return Weights(name, run.backend, noun, images, matrix.shape[1], number(scale))


def gradients(comparison: Comparison) -> GradientPanel | None:
    """Return the first gradient by hand beside that by machine; None where the runs do not have both."""
    name, by_hand, by_machine = _first_matrix(comparison), _run(comparison, "hand"), _run(comparison, "machine")
    if name is None or by_hand is None or by_machine is None:
        return None
    hand, machine = by_hand.first_gradients[name], by_machine.first_gradients[name]
    difference = hand.astype(np.float64) - machine.astype(np.float64)
    shared, own = max(largest(hand), largest(machine)), largest(difference)
    rows = (
        _row(comparison, f"by hand ({by_hand.backend})", hand, shared),
        _row(comparison, f"by machine ({by_machine.backend})", machine, shared),
        _row(comparison, "difference", difference, own),
    )
    whole, noun = comparison.dataset.image_shape is None, _noun(comparison)
    silent = [] if whole else [f"{noun} {i}" for i, column in enumerate(hand.T[:MOST_GRADIENTS]) if not column.any()]
    return GradientPanel(name, rows, whole, number(own / shared) if own else "", noun, silent)


def _row(comparison: Comparison, label: str, matrix: Float[np.ndarray, "features columns"], scale: float) -> PictureRow:
    shape = comparison.dataset.image_shape
    if shape is None:
        rows, columns = matrix.shape
        # Features run from left to right, so that the picture is wide.
        images = [Picture(f"all {rows} × {columns} entries", picture(matrix.T, scale))]
    else:
        images = pictures(matrix[:, :MOST_GRADIENTS], shape, scale, _noun(comparison))
    return PictureRow(label, images, number(scale))


def _first_matrix(comparison: Comparison) -> str | None:
    """Name the first matrix with a row for each feature of the data."""
    shapes = comparison.spec.param_shapes
    fitting = (n for n, shape in shapes.items() if len(shape) == 2 and shape[0] == comparison.dataset.features)
    return next(fitting, None)


def _noun(comparison: Comparison) -> str:
    """A model with one matrix maps straight to the outputs; otherwise its columns are hidden units."""
    matrices = sum(len(shape) == 2 for shape in comparison.spec.param_shapes.values())
    if matrices > 1:
        return "unit"
    return "output" if comparison.dataset.classes is None else "class"


def _run(comparison: Comparison, differentiation: Differentiation) -> TrainedBackend | None:
    fitting = (r for r in comparison.runs if registry.backend(r.backend).differentiation == differentiation)
    return next(fitting, None)


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
