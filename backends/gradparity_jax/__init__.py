"""The backend ``jax``: ``jax.grad`` over an idiomatic JAX forward pass.

    >>> model = gradparity.backend("jax").model(gradparity.SoftmaxRegression(features=64, classes=10))

``runtime`` is all that is particular to JAX and does not care who derives; ``autodiff`` is who derives here.
"""

from typing import TYPE_CHECKING

from gradparity.runtime import Listed

if TYPE_CHECKING:
    from gradparity.model import RuntimeBackend

LISTED = {"jax": Listed("jax", "machine", ("jax", "optax"))}


def __getattr__(name: str) -> "RuntimeBackend":
    """Make the backend when it is asked for: JAX is not loaded before."""
    if name != "backend":
        raise AttributeError(f"module 'gradparity_jax' has no attribute '{name}'")
    from gradparity.model import RuntimeBackend
    from gradparity_jax import autodiff
    from gradparity_jax.runtime import JaxRuntime

    return RuntimeBackend("jax", "machine", autodiff.functions, JaxRuntime())
