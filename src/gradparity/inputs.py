"""Draws that hide no error, and the rules that every spec's sizes obey."""

import math
import sys
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

import numpy as np
from jaxtyping import Float, Int

from gradparity.errors import UsageError, quoted, unknown
from gradparity.limits import require_memory
from gradparity.protocol import Batch, ModelSpec

SMALLEST, LARGEST = 2, 128
"""Bounds of a random size; small ones are drawn as often as large ones, on a scale of factors of two."""
MANY = 1_000
"""Examples that are drawn without a look at what they take."""
COPIES = 4
"""Arrays of each size that a check or a training step holds at once, at least."""
SMALLEST_COEFFICIENT = 1e-30
"""Products with smaller ones come near 1e-38, below which float32 loses digits, and near 1e-45, where it is zero."""


def independent(seed: int, what_for: str) -> np.random.Generator:
    """Return random numbers that nobody else draws.

    A user's own ``default_rng(0)`` gives what ours would: an upstream gradient that equals x hides which of the two a
    line takes, and differences along W itself see no error across it. Raises UsageError for what is no seed.
    """
    require_whole("seed", seed, 0)
    return np.random.default_rng([*what_for.encode(), seed])


def normal_inputs(rng: np.random.Generator, n: int, features: int) -> Float[np.ndarray, "n features"]:
    """Standard normal inputs."""
    return rng.normal(size=(n, features))


def unbalanced_labels(rng: np.random.Generator, n: int, classes: int) -> Int[np.ndarray, " n"]:
    """Labels with probabilities proportional to 1, 2, 3, …: equal counts would hide a wrong sum over classes."""
    weights = np.arange(1, classes + 1)
    return rng.choice(classes, size=n, p=weights / weights.sum())


def token_inputs(rng: np.random.Generator, n: int, length: int, vocabulary: int) -> Int[np.ndarray, "n length"]:
    """Tokens, unbalanced as labels are: some occur several times in a batch, where shares of a gradient add up."""
    return unbalanced_labels(rng, n * length, vocabulary).reshape(n, length)


def distinct_sizes(rng: np.random.Generator, count: int, largest: int = LARGEST) -> list[int]:
    """Draw so many sizes, all different, for equal ones would hide swapped axes; the last is at least 3.

    The last one counts a spec's examples.
    """
    while True:
        exponents = rng.uniform(np.log2(SMALLEST), np.log2(largest + 1), size=count)
        sizes = [int(size) for size in 2**exponents]
        if len(set(sizes)) == count and sizes[-1] >= 3:
            return sizes


def require_batch(spec: ModelSpec, batch: object) -> Batch:
    """Return a batch of the caller's as arrays. Raises UsageError for one that the model cannot take."""
    if not isinstance(batch, tuple) or len(batch) not in (2, 3):
        raise UsageError(f"batch must be x and y, got {quoted(batch)}: write gradparity.protocol.Batch(x, y)")
    try:
        taken = Batch(*batch).map(np.asarray)
    except (TypeError, ValueError, AttributeError):  # rows of different lengths, and extras that are not named
        raise UsageError("batch must be x, y and named extras, each an array: its parts are none") from None
    drawn = spec.example_batch(np.random.default_rng(0), 3)
    for name, own, example in (("x", taken.x, drawn.x), ("y", taken.y, drawn.y)):
        kind = "real" if example.dtype.kind == "f" else "whole"
        if own.dtype.kind not in ("biuf" if kind == "real" else "biu"):
            raise UsageError(f"batch.{name} must hold {kind} numbers for {spec.name}, got {own.dtype}")
        # Texts may be longer or shorter than those of a spec; what is real has its sizes.
        wanted, sizes = ((a.shape[1:] if kind == "real" else a.ndim) for a in (example, own))
        if own.ndim == 0 or len(own) == 0 or len(own) != len(taken.x) or wanted != sizes:
            raise UsageError(
                f"batch must hold as many examples in x as in y, and of {name} in the shape (n, ...) of "
                f"{example.shape}, got x of shape {taken.x.shape} and y of shape {taken.y.shape}"
            )
        if not np.isfinite(own).all() or (own.dtype.kind in "iu" and example.min() >= 0 > own.min()):
            rule = "finite" if kind == "real" else "0 or above"
            raise UsageError(
                f"batch.{name} must be {rule} in every entry for {spec.name}: leave out those that are not"
            )
    for name, own in taken.extras.items():
        if own.dtype.kind not in "biuf":
            raise UsageError(f"batch.extras['{name}'] must hold numbers, got {own.dtype}")
    return taken


def require_fits(spec: ModelSpec, n: int) -> None:
    """Raise UsageError, before anything is drawn, where parameters or n examples are more than this machine holds."""
    numbers = sum(math.prod(shape) for shape in spec.param_shapes.values())
    require_memory(f"{spec.name} with {numbers:,} parameters", numbers * 8 * COPIES, "make its sizes smaller")
    if n > MANY:
        batch = spec.example_batch(np.random.default_rng(0), MANY)
        size = sum(array.nbytes for array in (batch.x, batch.y, *batch.extras.values())) // MANY
        require_memory(f"{spec.name} on {n:,} examples", n * size * COPIES, "make --batch-size smaller")


def require_whole(what: str, value: object, least: int) -> None:
    """Raise UsageError unless a number is whole, and at least so large."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise UsageError(f"{what} must be a whole number of at least {least}, got {quoted(value)}")


def require_positive(model: str, **sizes: int) -> None:
    """Raise UsageError unless every size is a whole number, at least 1."""
    for name, size in sizes.items():
        require_whole(f"{model}: {name}", size, 1)


def require_finite(model: str, **coefficients: float) -> None:
    """Raise UsageError unless every coefficient is finite, not negative, and a number that float32 has digits of."""
    for name, value in coefficients.items():
        if not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
            raise UsageError(f"{model}: {name} must be finite and at least 0, got {quoted(value)}")
        if 0 < value < SMALLEST_COEFFICIENT:
            raise UsageError(
                f"{model}: {name} must be 0 or at least {SMALLEST_COEFFICIENT:g}, got {value!r}: "
                "what it multiplies is lost in float32"
            )


def require_choices(spec: Any) -> None:
    """Raise UsageError unless every field of a spec that is a bool or a Literal holds one of its choices."""
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.type is bool and not isinstance(value, bool):
            raise UsageError(f"{spec.name}: {field.name} must be True or False, got {quoted(value)}")
        if get_origin(field.type) is Literal and value not in get_args(field.type):
            raise unknown(f"{spec.name} {field.name}", str(value), get_args(field.type))
