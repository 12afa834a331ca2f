"""A function on arrays of the library that it is written for, in float64."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from gradparity.protocol import Array
from gradparity.subjects.pairs.arguments import Arguments, Arrays, outputs, to_numpy


def evaluate(function: Callable[..., Any], given: Arguments, real: Mapping[str, np.ndarray]) -> Arrays:
    """Return the outputs by name, for these real arguments."""
    with precise():
        native = to_library(given)
        y = function(*given.filled({name: native(x) for name, x in real.items()}, native))
        return {name: to_numpy(value) for name, value in outputs(y).items()}


def precise() -> AbstractContextManager[Any]:
    """JAX's 64-bit types, where JAX is in use at all."""
    return sys.modules["jax"].enable_x64(True) if "jax" in sys.modules else nullcontext()


def to_library(given: Arguments) -> Callable[[np.ndarray], Array]:
    """Return the conversion of a NumPy array to one of the arguments' library: a copy."""
    if given.library == "jax":
        from jax import numpy as jnp

        return jnp.array
    if given.library == "torch":
        import torch

        return lambda a: torch.from_numpy(np.array(a))
    return np.array
