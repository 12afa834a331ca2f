"""What goes into a function and what comes out: NumPy arrays by name, whatever library the function itself takes."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from array_api_compat import is_jax_array, is_torch_array

from gradparity.errors import UsageError
from gradparity.protocol import Array

Library: TypeAlias = Literal["numpy", "jax", "torch"]
Arrays: TypeAlias = dict[str, np.ndarray]


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call. The real arrays are differentiated, everything else is passed as it is."""

    names: tuple[str, ...]
    values: tuple[Any, ...]
    """Arrays as NumPy's, real ones in float64."""
    library: Library
    """Whose arrays they were."""

    @property
    def real(self) -> Arrays:
        """The arguments that have a gradient."""
        named = zip(self.names, self.values, strict=True)
        return {name: value for name, value in named if isinstance(value, np.ndarray) and value.dtype.kind == "f"}

    @property
    def constant_arrays(self) -> Arrays:
        """The arrays that have none, such as labels."""
        named = zip(self.names, self.values, strict=True)
        return {name: value for name, value in named if isinstance(value, np.ndarray) and name not in self.real}

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each argument that has none."""
        constant = [name for name in self.names if name not in self.real]
        return tuple(f"{name} is not an array of real numbers, so it has no gradient" for name in constant)

    def filled(self, real: Mapping[str, Array], convert: Callable[[np.ndarray], Array]) -> list[Any]:
        """Return all arguments with these real ones; ``convert`` turns the other arrays into another library's."""
        return [
            real[name] if name in real else convert(value) if isinstance(value, np.ndarray) else value
            for name, value in zip(self.names, self.values, strict=True)
        ]

    def with_real(self, real: Arrays) -> "Arguments":
        """Return the same arguments with other real arrays."""
        return replace(self, values=tuple(self.filled(real, lambda constant: constant)))


def read(function: Callable[..., Any], arguments: Sequence[Any]) -> Arguments:
    """Name the arguments after the function's parameters, and convert arrays to NumPy.

    Raises UsageError for complex arrays, for arrays inside a container, for arrays of both JAX and PyTorch, and where
    there is no array of real numbers.
    """
    names = _names(function, len(arguments))
    values = []
    for name, value in zip(names, arguments, strict=True):
        if isinstance(value, dict | list | tuple) and any(map(_is_array, _items(value))):
            raise UsageError(f"{name} is a {type(value).__name__} of arrays: pass each array as an argument of its own")
        values.append(_real_in_float64(name, to_numpy(value)) if _is_array(value) else value)
    found = Arguments(names, tuple(values), _library(arguments))
    if not found.real:
        raise UsageError(
            f"there is nothing to differentiate: none of {', '.join(names) or 'no arguments'} is a real array"
        )
    return found


def to_numpy(array: Array) -> np.ndarray:
    """Copy an array of any of the three libraries."""
    if is_torch_array(array):
        return np.array(array.numpy(force=True))
    return np.array(array)


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in a report."""
    return str(getattr(function, "__name__", type(function).__name__))


def outputs(y: Any) -> dict[str, Array]:
    """Name what a function returned: "output", or "output[0]", … or "output['key']", …."""
    if isinstance(y, Mapping):
        return {f"output['{key}']": value for key, value in y.items()}
    if isinstance(y, tuple | list):
        return {f"output[{i}]": value for i, value in enumerate(y)}
    return {"output": y}


def arranged_like(y: Any, named: Mapping[str, Array]) -> Any:
    """Arrange arrays, named as ``outputs`` names them, in the structure of ``y``."""
    arrays = [named[name] for name in outputs(y)]
    if isinstance(y, Mapping):
        return dict(zip(y, arrays, strict=True))
    if isinstance(y, tuple | list):
        return type(y)(*arrays) if hasattr(y, "_fields") else type(y)(arrays)
    return arrays[0]


def draw_upstream(values: Mapping[str, np.ndarray], rng: np.random.Generator) -> Arrays:
    """Draw a normal upstream gradient of each output: were its entries equal, it would hide a wrong sum.

    Raises UsageError for an output that is not an array of finite float64 numbers.
    """
    for name, value in values.items():
        if value.dtype != np.float64:
            raise UsageError(f"{name} must be a real array in the dtype of the arguments, float64, got {value.dtype}")
        if not np.isfinite(value).all():
            raise UsageError(
                f"{name} is NaN or infinite at these arguments: choose arguments where the function is finite"
            )
    return {name: np.asarray(rng.normal(size=value.shape)) for name, value in values.items()}


def _names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function written in C need not have a signature
        parameters = {}.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(known[i] if i < len(known) else f"argument {i}" for i in range(count))


def _items(container: Any) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else list(container)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) or bool(is_torch_array(value)) or bool(is_jax_array(value))


def _real_in_float64(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        raise UsageError(f"{name} is complex, and only real arguments are checked: pass real and imaginary part apart")
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _library(arguments: Sequence[Any]) -> Library:
    libraries: set[Library] = set()
    if any(is_torch_array(a) for a in arguments):
        libraries.add("torch")
    if any(is_jax_array(a) for a in arguments):
        libraries.add("jax")
    if len(libraries) > 1:
        raise UsageError("arguments are arrays of both JAX and PyTorch: pass those of one library")
    return libraries.pop() if libraries else "numpy"
