"""Derivations of the operations that models are made of: a file each, of the same name as in ``gradparity.operations``.

An operation sees ``p``, ``c`` and ``d`` under short names of its own (``gradparity.recording.View`` says how). Its
``forward`` writes and returns c["out"]. Its ``backward`` reads d["out"] and adds to the gradient of each parameter; the
gradient of its input it returns, for the model to write under the input's name. Each is written once, in array-API
style, and takes complex numbers forward: a check measures the loss by complex steps.
"""

import importlib
from types import ModuleType

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Inexact

from gradparity.protocol import Array
from gradparity.recording import library_of


def namespace(array: Array) -> ModuleType:
    """Return ``array_namespace(array)``, looked up once per type: seven times 2 µs were a tenth of a small step.

    NumPy has the array API itself; what wraps it once more takes as long as a small array.
    """
    kind = type(array)
    if kind not in _BY_TYPE:
        _BY_TYPE[kind] = np if issubclass(kind, np.ndarray | np.generic) else array_namespace(array)
    return _BY_TYPE[kind]


_BY_TYPE: dict[type, ModuleType] = {}


def special(array: Array) -> ModuleType:
    """Return the module in which an array's library has ``erf``, which the array API lacks."""
    return importlib.import_module(_SPECIAL[library_of(array)])


_SPECIAL = {
    "numpy": "gradparity.operations.entrywise",
    "jax": "jax.scipy.special",
    "torch": "torch.special",
    "autograd": "autograd.scipy.special",
}


def in_rows(x: Inexact[Array, "*n width"]) -> Inexact[Array, "rows width"]:
    """Lay every axis but the last into one: what acts on each row alone acts on all alike."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def or_one(size: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """A size that is divided by, or 1 where it is 0: what is then multiplied with the quotient is 0 too."""
    return namespace(size).where(size > 0, size, namespace(size).ones_like(size))
