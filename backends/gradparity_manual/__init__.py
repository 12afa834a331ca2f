"""The hand derivations: forward and backward passes written out, with no automatic differentiation anywhere.

Each model is one file of plain functions in array-API style, so the same derivation runs on NumPy arrays
(backend ``numpy``), on JAX arrays (``jax-manual``) and on PyTorch tensors without autograd (``torch-manual``).
"""

from functools import partial

from gradparity.model import RuntimeBackend
from gradparity.protocol import ModelSpec
from gradparity.runtime import Listed, ModelFunctions
from gradparity_manual import derivation
from gradparity_manual.runtime import NumpyRuntime

backend = RuntimeBackend("numpy", "hand", derivation.functions, NumpyRuntime())
LISTED = {
    "jax-manual": Listed("jax", "hand", ("jax", "optax")),
    "torch-manual": Listed("torch", "hand", ("torch",)),
}


def __getattr__(name: str) -> RuntimeBackend:
    """Make the backends ``on_jax`` and ``on_torch`` when they are asked for: neither library is loaded before."""
    if name == "on_jax":
        from gradparity_jax.autodiff import hessian_vector
        from gradparity_jax.runtime import JaxRuntime

        def functions(spec: ModelSpec) -> ModelFunctions:
            by_hand = derivation.functions(spec)
            return by_hand._replace(hessian_vector=partial(hessian_vector, by_hand.value_and_grad))

        return RuntimeBackend("jax-manual", "hand", functions, JaxRuntime())
    if name == "on_torch":
        from gradparity_torch.runtime import TorchRuntime

        return RuntimeBackend("torch-manual", "hand", derivation.functions, TorchRuntime())
    raise AttributeError(f"module 'gradparity_manual' has no attribute '{name}'")
