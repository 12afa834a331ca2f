"""The backend ``jax``: ``jax.grad`` over an idiomatic JAX forward pass.

    >>> model = gradparity.backend("jax").model(gradparity.SoftmaxRegression(features=64, classes=10))

``runtime`` is all that is particular to JAX and does not care who derives; ``autodiff`` is who derives here.
"""

from gradparity_jax import autodiff
from gradparity_jax.runtime import JaxBackend

backend = JaxBackend("jax", "machine", autodiff.functions)

__all__ = ["JaxBackend", "backend"]
