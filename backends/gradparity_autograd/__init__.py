"""The backend ``numpy-autograd``: HIPS autograd over the hand-written forward pass, on NumPy arrays.

    >>> model = gradparity.backend("numpy-autograd").model(gradparity.SoftmaxRegression(features=64, classes=10))

The forward pass is the very one of the backend ``numpy``, run on autograd's boxes: what differs is who derives.
"""

from typing import TYPE_CHECKING

from gradparity.runtime import Listed

if TYPE_CHECKING:
    from gradparity.model import RuntimeBackend

LISTED = {"numpy-autograd": Listed("numpy", "machine", ("autograd",))}


def __getattr__(name: str) -> "RuntimeBackend":
    """Make the backend when it is asked for: autograd is not loaded before."""
    if name != "backend":
        raise AttributeError(f"module 'gradparity_autograd' has no attribute '{name}'")
    from gradparity.model import RuntimeBackend
    from gradparity_autograd import autodiff
    from gradparity_manual.runtime import NumpyRuntime

    return RuntimeBackend("numpy-autograd", "machine", autodiff.functions, NumpyRuntime())
