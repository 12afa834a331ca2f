"""The backend ``numpy-autograd``: HIPS autograd over the hand-written forward pass, on NumPy arrays.

    >>> model = gradparity.backend("numpy-autograd").model(gradparity.SoftmaxRegression(features=64, classes=10))

The forward pass is the very one of the backend ``numpy``, run on autograd's boxes: what differs is who derives.
"""

from gradparity.model import RuntimeBackend
from gradparity_autograd import autodiff
from gradparity_manual.runtime import NumpyRuntime

backend = RuntimeBackend("numpy-autograd", "machine", autodiff.functions, NumpyRuntime())

__all__ = ["backend"]
