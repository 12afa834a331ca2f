"""Gradients derived by hand beside gradients derived by a machine.

    >>> import gradparity
    >>> spec = gradparity.SoftmaxRegression(features=64, classes=10)
    >>> model = gradparity.backend("numpy").model(spec)

Importing this package imports no backend, and so neither JAX nor PyTorch.
"""

from gradparity.errors import UsageError
from gradparity.models import MLP, SoftmaxRegression
from gradparity.registry import backend

__all__ = ["MLP", "SoftmaxRegression", "UsageError", "backend"]
__version__ = "0.1.0"
