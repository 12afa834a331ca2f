"""A hand derivation run beside a witness: each line gets the witness's numbers, so errors do not cascade."""

from gradparity.cache import Recorder
from gradparity.protocol import Array, Backend, Batch, Dtype, HandDerivation, Params, Trace


def run_beside(
    hand: HandDerivation, backend: Backend, dtype: Dtype, params: Params, batch: Batch, truth: Trace
) -> tuple[Recorder, Recorder]:
    """Run forward and backward on the backend's arrays in ``dtype``; return what was written to ``c`` and ``d``.

    ``params``, ``batch`` and ``truth`` are NumPy; what the recorders hold is the backend's. Raises UsageError when
    a name is written twice or read too early.
    """

    def native(array: Array) -> Array:
        return backend.from_numpy(array.astype(dtype) if array.dtype.kind == "f" else array)

    p = {name: native(value) for name, value in params.items()}
    own_batch = Batch(native(batch.x), native(batch.y))
    c = Recorder("c", {name: native(value) for name, value in truth.values.items()})
    d = Recorder("d", {name: native(g) for name, g in truth.gradients.items()}, seed="loss")
    hand.forward(p, own_batch, c)
    hand.backward(p, own_batch, c, d)
    return c, d
