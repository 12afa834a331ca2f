"""The backend ``jax``: ``jax.grad`` over an idiomatic JAX forward pass.

    >>> model = gradparity.backend("jax").model(gradparity.SoftmaxRegression(features=64, classes=10))

``runtime`` is all that is particular to JAX and does not care who derives; ``autodiff`` is who derives here.
"""

from gradparity.model import RuntimeBackend
from gradparity_jax import autodiff
from gradparity_jax.runtime import JaxRuntime

backend = RuntimeBackend("jax", "machine", autodiff.functions, JaxRuntime())

__all__ = ["JaxRuntime", "backend"]
