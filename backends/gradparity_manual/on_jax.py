"""Backend ``jax-manual``: the hand derivations on JAX arrays, compiled but not differentiated by JAX."""

from gradparity_jax.runtime import JaxBackend
from gradparity_manual import derivation

backend = JaxBackend("jax-manual", "hand", derivation.functions)
