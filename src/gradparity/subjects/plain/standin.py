"""An array of JAX or PyTorch in the place of NumPy's: code that says ``np.exp(x)`` runs on it as it stands.

NumPy hands its own functions on to what asks for them (NEP 13 and 18): they are answered by ``jax.numpy``, and by
PyTorch's NumPy. What makes new arrays, ``np.zeros``, is answered for the user's code alone. Nothing becomes NumPy's
unnoticed: what would lose the way to the loss raises, and then the library is no witness of this code.
"""

import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.lib.mixins import NDArrayOperatorsMixin

from gradparity.protocol import Array


class StandIn(NDArrayOperatorsMixin):
    """Behaves as a NumPy array of real numbers. What is written to a part of it makes a new array of the library."""

    def __init__(self, native: Array) -> None:
        self._array = _numpys(native)

    @property
    def native(self) -> Array:
        """The library's own array."""
        return self._array.tensor if hasattr(self._array, "tensor") else self._array

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype."""
        dtype: np.dtype[Any] = np.dtype(getattr(self._array.dtype, "name", self._array.dtype))
        return dtype

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: tuple[Any, ...] = (), **options: Any
    ) -> Any:
        if method != "__call__" or not all(isinstance(each, StandIn) for each in out):
            return NotImplemented
        result = self._answered(getattr(self._space, ufunc.__name__), inputs, options)
        for each in out:
            each[...] = result
        return out[0] if out else result

    def __array_function__(self, function: Any, _: Any, arguments: Any, options: Any) -> Any:
        space = self._space.linalg if function.__module__ == "numpy.linalg" else self._space
        return self._answered(getattr(space, function.__name__), arguments, options)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("an array that is differentiated cannot become NumPy's")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("tolist", "tobytes", "tensor", "at"):
            raise AttributeError(name)
        own = getattr(self._array, name)
        if not callable(own):
            return _stand_in(own)
        return functools.partial(self._method, own)

    def item(self) -> "StandIn":
        """Return the one number, which goes on being differentiated."""
        return StandIn(self._array.reshape(()))

    def fill(self, value: Any) -> None:
        """Set every entry."""
        self[...] = value

    def __getitem__(self, index: Any) -> Any:
        return _stand_in(self._array[_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        new = self._space.asarray(_unwrapped(value))
        if index is Ellipsis:
            self._array = self._space.broadcast_to(new, self._array.shape)
        elif hasattr(self._array, "tensor"):
            changed = self._array.copy()
            changed[_index(index)] = new
            self._array = changed
        else:
            self._array = self._array.at[_index(index)].set(new)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise TypeError("a number that is differentiated decides nothing")

    def __format__(self, _: str) -> str:
        return "…"

    def __copy__(self) -> "StandIn":
        return StandIn(self._array)

    def __deepcopy__(self, _: Any) -> "StandIn":
        return StandIn(self._array)

    @property
    def _space(self) -> Any:
        return _space_of(self._array)

    def _method(self, own: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return self._answered(own, arguments, options)

    def _answered(self, function: Callable[..., Any], arguments: Any, options: Any) -> Any:
        given = (_unwrapped(each) for each in arguments)
        return _stand_in(function(*given, **{name: _unwrapped(each) for name, each in options.items()}))


def _numpys(array: Array) -> Any:
    """Return PyTorch's NumPy array of a tensor; others behave like NumPy's as they are."""
    if not is_torch_array(array):
        return array
    return _torchs_numpy().ndarray(array)


def _space_of(array: Any) -> Any:
    """Return the library's own NumPy."""
    return _torchs_numpy() if hasattr(array, "tensor") else array_namespace(array)


def _torchs_numpy() -> Any:
    return importlib.import_module("torch._numpy")


def _unwrapped(value: Any) -> Any:
    """Return what the library takes: its arrays for stand-ins, and dtypes by name."""
    if isinstance(value, StandIn):
        return value._array
    if isinstance(value, list | tuple):
        return type(value)(map(_unwrapped, value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, float | int | np.generic)):
        return np.dtype(value).name
    return value


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    chosen = np.asarray(index) if isinstance(index, list | range) else index
    # PyTorch takes uint8 for a mask.
    return chosen.astype(np.int64) if getattr(chosen, "dtype", None) == np.uint8 else _unwrapped(chosen)


def _stand_in(result: Any) -> Any:
    """Return a result as the user's code takes it: whole numbers and truths are NumPy's, which have no derivative."""
    if isinstance(result, list | tuple) and not hasattr(result, "_fields"):
        return type(result)(map(_stand_in, result))
    if not hasattr(result, "dtype") or isinstance(result, np.ndarray | np.generic | StandIn):
        return result
    made = StandIn(getattr(result, "tensor", result))
    if made.dtype.kind not in "biu":
        return made
    native = made.native
    try:
        return np.asarray(native)[()]
    except TypeError:  # JAX does not know it yet
        return made


def made_by(original: Callable[..., Any], like: Array) -> Callable[..., Any]:
    """Return what answers NumPy's function that makes an array, with arrays of the library that another one is of."""

    def made(*arguments: Any, **options: Any) -> Any:
        if arguments and _holds_stand_ins(arguments[0]) and original in (np.array, np.asarray):
            return _assembled(arguments[0])
        result = original(*arguments, **options)
        return stand_in_for(result, like) if isinstance(result, np.ndarray) else result

    return made


def stand_in_for(array: np.ndarray, like: Array) -> Any:
    """Return an array of real numbers in the library that another one is of; others as they are."""
    if array.dtype.kind != "f":
        return array
    native = getattr(_numpys(like), "tensor", None)
    if native is None:
        return StandIn(array_namespace(like).asarray(array))
    return StandIn(_space_of(_numpys(like)).array(array).tensor)


def _holds_stand_ins(value: Any) -> bool:
    return isinstance(value, StandIn) or (isinstance(value, list | tuple) and any(map(_holds_stand_ins, value)))


def _assembled(value: Any) -> Any:
    """Make one array of nested lists, as ``np.array`` does."""
    if isinstance(value, list | tuple):
        return np.stack([_assembled(each) for each in value])
    return (value if isinstance(value, StandIn) else np.asarray(value)) * 1.0
