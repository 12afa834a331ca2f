"""A user's own model as a spec: it brings its hand derivation, and machines differentiate its forward."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.errors import UsageError, quoted
from gradparity.inputs import unbalanced_labels
from gradparity.parity.problem import normal
from gradparity.protocol import Batch, HandDerivation, Line
from gradparity.subjects.model_file.source import definition


@dataclass(frozen=True)
class UserModel:
    """What a user declared, in one form: labels (``num_classes``) or real targets (``target_shape``)."""

    name: str
    param_shapes: dict[str, tuple[int, ...]]
    input_shape: tuple[int, ...]
    """The shape of one example."""
    num_classes: int | None
    target_shape: tuple[int, ...] | None
    """The shape of one example's target."""
    hand: HandDerivation
    own_init: Callable[[np.random.Generator], Any] | None = None
    own_example_batch: Callable[[np.random.Generator, int], Any] | None = None
    derivation: tuple[Line, ...] = ()
    """A user's file holds no formulas."""

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Call the user's own ``init``; without one, draw N(0, 1/fan-in) for matrices and N(0, 1/4) for the rest.

        Raises UsageError unless the names and shapes are those of ``param_shapes``.
        """
        if self.own_init is None:
            return {name: normal(rng, shape) for name, shape in self.param_shapes.items()}
        given = self.own_init(rng)
        rule = f"{definition(self.own_init)}: init must return a dict of the arrays in param_shapes"
        if not isinstance(given, Mapping):
            raise UsageError(f"{rule}, got {type(given).__name__}: end it with  return {{'name': array, ...}}")
        params = {name: _real(f"{rule}, of real numbers", name, value) for name, value in given.items()}
        shapes = {name: p.shape for name, p in params.items()}
        if shapes != self.param_shapes:
            raise UsageError(f"{rule}, {_words(self.param_shapes)}, got {_words(shapes)}: change one of the two")
        for name, value in params.items():
            _require_finite(f"{rule}, all finite", name, value)
        return {name: params[name] for name in self.param_shapes}

    def draw_params(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw the parameters of a check: the user's own initial ones, and where those are all zero, others."""
        own = self.init(rng)
        return {
            name: own[name] if np.any(own[name]) else normal(rng, shape) for name, shape in self.param_shapes.items()
        }

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Call the user's own ``example_batch``; without one, draw normal x and targets, or unbalanced labels.

        Returns x (n, *input_shape), whole numbers such as tokens as they are, and y (n,) or (n, *target_shape), and
        whatever else it names. Raises UsageError for other shapes, and for labels that are no class.
        """
        if self.own_example_batch is None:
            return Batch(rng.normal(size=(n, *self.input_shape)), self._draw_y(rng, n))
        given = self.own_example_batch(rng, n)
        rule = f"{definition(self.own_example_batch)}: example_batch must return (x, y)"
        if not isinstance(given, tuple) or len(given) not in (2, 3):
            raise UsageError(f"{rule}, got {type(given).__name__}: end it with  return x, y")
        extras = given[2] if len(given) == 3 else {}
        if not isinstance(extras, Mapping):
            raise UsageError(f"{rule} or (x, y, extras), got {type(extras).__name__} as extras: name them in a dict")
        x, y = _in_float64(rule, "x", given[0]), _in_float64(rule, "y", given[1])
        named = {str(name): _in_float64(rule, str(name), array) for name, array in extras.items()}
        wanted = (n, *self.input_shape), (n, *(self.target_shape or ()))
        if (x.shape, y.shape) != wanted:
            raise UsageError(f"{rule} of shapes {wanted[0]} and {wanted[1]}, got {x.shape} and {y.shape}")
        if self.num_classes is None:
            return Batch(x, y.astype(np.float64), named)
        if y.dtype.kind not in "iu" or not ((y >= 0) & (y < self.num_classes)).all():
            raise UsageError(f"{rule} with whole numbers from 0 to {self.num_classes - 1} as y, got {y.dtype} {y[:5]}")
        return Batch(x, y.astype(np.int64), named)

    def _draw_y(self, rng: np.random.Generator, n: int) -> np.ndarray:
        if self.num_classes is not None:
            return unbalanced_labels(rng, n, self.num_classes)
        return rng.normal(size=(n, *(self.target_shape or ())))

    def flops(self, n: int) -> int:
        """Estimate: each weight meets each example once forward and twice backward, in a multiply-add of two."""
        return 6 * n * sum(math.prod(shape) for shape in self.param_shapes.values() if len(shape) > 1)


def _in_float64(rule: str, name: str, value: Any) -> np.ndarray:
    """Return an array of finite numbers; whole numbers and truth values as they are. Raises UsageError."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biu":
        return value
    array = _real(f"{rule}, arrays of real numbers", name, value)
    _require_finite(f"{rule}, all finite", name, array)
    whole = np.asarray(value)
    return whole if whole.dtype.kind in "biu" else array


def _real(rule: str, name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return np.asarray(array, np.float64)
    except (TypeError, ValueError):  # a list of lists of different lengths
        pass
    raise UsageError(f"{rule}, got {name} as {quoted(value)}")


def _require_finite(rule: str, name: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise UsageError(f"{rule}, got NaN or infinity in {name}")


def _words(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
