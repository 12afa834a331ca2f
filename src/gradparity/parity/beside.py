"""A hand derivation run beside a witness: each line gets the witness's numbers, so errors do not cascade."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from gradparity.parity.problem import Written
from gradparity.protocol import Array, Backend, Batch, Dtype, HandDerivation, Params, Trace
from gradparity.recording import Recorder


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
        return backend.from_numpy(array.astype(dtype) if array.dtype.kind == "f" else array)

    p = {name: native(value) for name, value in params.items()}
    own_batch = batch.map(native)
    places: dict[str, str] = {}

    def note(symbol: str) -> Callable[[str, Array], None]:
        def inspect(name: str, _: Array) -> None:
            if locate is not None:
                places[f"{symbol}['{name}']"] = locate(symbol)

        return inspect

    c = Recorder("c", _Converted(truth.values, native), inspect=note("c"))
    d = Recorder("d", _Converted(truth.gradients, native), seed="loss", inspect=note("d"))
    hand.forward(p, own_batch, c)
    hand.backward(p, own_batch, c, d)
    values, gradients = (
        {name: backend.to_numpy(value) for name, value in recorder.written().items()} for recorder in (c, d)
    )
    return Written(values, gradients, c.reads, d.reads, places)


class _Converted(Mapping[str, Array]):
    """A witness's arrays, each copied to another library when it is read: a large model's do not all lie twice."""

    def __init__(self, arrays: Mapping[str, np.ndarray], native: Callable[[np.ndarray], Array]) -> None:
        self._arrays = arrays
        self._native = native

    def __getitem__(self, name: str) -> Array:
        return self._native(self._arrays[name])

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
