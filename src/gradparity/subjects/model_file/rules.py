"""What may be written to c and to d. Each rule raises UsageError; the line is added where the user's code is run."""

from collections.abc import Callable, Mapping

import numpy as np

from gradparity.errors import UsageError, did_you_mean, quoted
from gradparity.protocol import Array, Dtype, Params
from gradparity.recording import library_of

WholeNumbers = Callable[[str], str]
"""Name in c or d -> the array of whole numbers that gave it another dtype, as a derivation calls it; "" for none."""


def require_value(name: str, value: Array, dtype: Dtype, params: Params, whole_numbers: WholeNumbers) -> None:
    """Raise UsageError unless ``value`` may stand in c under this name."""
    if not isinstance(name, str) or name in params:
        raise UsageError(f"c[{quoted(name)}] needs a name that no parameter has: rename it")
    if not _is_array(value):
        fix = "leave out float()" if name == "loss" else "keep plain numbers in local variables"
        raise _no_array(f"c['{name}']", value, fix)
    if name == "loss" and value.shape != ():
        raise UsageError(f"c['loss'] must be a single number, got shape {value.shape}: take the mean or the sum")
    # A mask or an index may be kept for the backward pass: it has no gradient, and so no dtype to keep.
    if name == "loss" or value.dtype.kind not in "biu":
        _require_dtype(f"c['{name}']", value, dtype, "take the mean or the sum of real numbers", whole_numbers)


def require_gradient(
    name: str,
    value: Array,
    dtype: Dtype,
    params: Params,
    values: Mapping[str, Array],
    whole_numbers: WholeNumbers,
) -> None:
    """Raise UsageError unless ``value`` may stand in d as the gradient of that parameter or value of c."""
    real = [of for of, array in values.items() if array.dtype.kind not in "biu"]
    if name not in params and name not in real:
        names = [*real, *params]
        raise UsageError(
            f"d['{name}'] is the gradient of nothing: forward and the parameters name {', '.join(names)}"
            f"{did_you_mean(name, names)}"
        )
    of = f"p['{name}']" if name in params else f"c['{name}']"
    if not _is_array(value):
        fix = "it is 1 from the start, leave this out" if name == "loss" else f"it has the shape of {of}"
        raise _no_array(f"d['{name}']", value, fix)
    expected = (params[name] if name in params else values[name]).shape
    if value.shape != expected:
        fix = "sum over the axes along which it was broadcast, or keep the axis that is gone"
        if value.shape == expected[::-1]:
            fix = "transpose it"
        raise UsageError(f"d['{name}'] must have the shape of {of}, {expected}, got {value.shape}: {fix}")
    start = "start from xp.zeros_like(...) of a real array, or write 1.0 for 1"
    _require_dtype(f"d['{name}']", value, dtype, start, whole_numbers)


def _is_array(value: Array) -> bool:
    return isinstance(value, np.ndarray | np.generic)


def _no_array(label: str, value: Array, fix: str) -> UsageError:
    library = library_of(value)
    if library in ("jax", "torch"):
        fix = f"write  xp = array_namespace(x), then xp's functions, in place of {library}'s"
    return UsageError(f"{label} must be an array of the library that runs it, got {type(value).__name__}: {fix}")


def _require_dtype(label: str, value: Array, dtype: Dtype, not_real: str, whole_numbers: WholeNumbers) -> None:
    if value.dtype == dtype:
        return
    if value.dtype.kind in "biu":
        fix = not_real
    elif value.dtype != np.float64:
        fix = "take the dtype from the inputs, dtype=x.dtype"
    elif culprit := whole_numbers(label):
        fix = f"{culprit} holds whole numbers, which turn float32 into float64, so write  xp.astype({culprit}, x.dtype)"
    else:
        fix = (
            "a float64 constant or an array of whole numbers is mixed in, so use Python numbers, and "
            "xp.asarray(..., dtype=x.dtype) or xp.astype(..., x.dtype) for arrays"
        )
    raise UsageError(f"{label} must be {dtype} where the inputs are, got {value.dtype}: {fix}")
