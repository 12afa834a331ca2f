"""A hand derivation run beside a witness: each line gets the witness's numbers, so errors do not cascade."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import ref

import numpy as np
from array_api_compat import is_torch_array

from gradparity.parity.problem import Written
from gradparity.protocol import Array, Backend, Batch, Dtype, HandDerivation, Key, Params, Trace, in_dtype
from gradparity.recording import Recorder, name_of


def run_beside(
    hand: HandDerivation,
    backend: Backend,
    dtype: Dtype,
    params: Params,
    batch: Batch,
    truth: Trace,
    locate: Callable[[str], str] | None = None,
) -> Written:
    """Run forward and backward on the backend's arrays in ``dtype``; return what was written to ``c`` and ``d``.

    ``params``, ``batch`` and ``truth`` are NumPy. ``locate`` says which line that writes to "c" or "d" is being
    run. Raises UsageError when a name is written twice or read too early.
    """

    def native(array: Array) -> Array:
        return backend.from_numpy(in_dtype(array, dtype))

    p = {name: native(value) for name, value in params.items()}
    own_batch = batch.map(native)
    places: dict[str, list[str]] = {}

    def note(symbol: str) -> Callable[[Key, Array], None]:
        def inspect(key: Key, _: Array) -> None:
            if locate is not None:
                places.setdefault(f"{symbol}[{name_of(key)!r}]", []).append(locate(symbol))

        return inspect

    given = [ref(array) for array in (*p.values(), own_batch.x, own_batch.y, *own_batch.extras.values())]
    values, gradients = _Converted(truth.values, native, given), _Converted(truth.gradients, native, given)
    c = Recorder("c", values, inspect=note("c"))
    d = Recorder("d", gradients, seed="loss", inspect=note("d"), follow=FollowLocals(given))
    hand.forward(p, own_batch, c)
    hand.backward(p, own_batch, c, d)
    return Written(
        {name: backend.to_numpy(value) for name, value in c.written().items()},
        {name: backend.to_numpy(value) for name, value in d.written().items()},
        c.reads,
        d.reads,
        places,
        {x: [backend.to_numpy(share) for share in shares] for x, shares in d.shares.items() if isinstance(x, str)},
    )


class FollowLocals:
    """Puts the witness's gradient into the array that was written to ``d``, where it lies.

    A derivation that goes on with its local variable, ``d["y"] = dy; d["V"] = h.T @ dy``, is so fed the right number
    as if it read ``d["y"]`` back. An array that may be a part of what was ``given`` stays as it is, and so do JAX's,
    which cannot be changed.
    """

    def __init__(self, given: list[ref[Any]]) -> None:
        self._given = given
        self._written: list[tuple[Array, Array]] = []
        """Arrays and what they held: one array may be written under two names."""

    def __call__(self, value: Array, right: Array) -> Array:
        """Return what the array held when it was written."""
        before = next((held for array, held in self._written if array is value), None)
        if before is not None:
            return before
        memory = _memory(value)
        if memory is None or not memory.flags.writeable or value.shape != right.shape:
            return value
        others = [_memory(each()) for each in self._given]
        if any(other is not None and np.may_share_memory(memory, other) for other in others):
            return value
        held = value + 0
        self._written.append((value, held))
        value[...] = right
        return held


def _memory(array: Any) -> np.ndarray | None:
    """Return a NumPy view of an array that can be changed where it lies: NumPy's own, or a tensor of PyTorch's."""
    if is_torch_array(array):
        return np.asarray(array.detach().numpy())
    return array if isinstance(array, np.ndarray) else None


class _Converted(Mapping[str, Array]):
    """A witness's arrays, each copied to another library when it is read: a large model's do not all lie twice.

    A copy is then among what was ``given``, as long as somebody holds it.
    """

    def __init__(
        self, arrays: Mapping[str, np.ndarray], native: Callable[[np.ndarray], Array], given: list[ref[Any]]
    ) -> None:
        self._arrays = arrays
        self._native = native
        self._given = given

    def __getitem__(self, name: str) -> Array:
        array = self._native(self._arrays[name])
        self._given.append(ref(array))
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
