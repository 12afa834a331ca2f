"""What crosses from the caller to JAX: dtype, precision, and whose memory it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradparity.protocol import Batch, Dtype


def precision(dtype: Dtype) -> AbstractContextManager[None]:
    """64-bit types exactly where the model needs them, whatever the user's own ``jax_enable_x64`` is."""
    context: AbstractContextManager[None] = jax.enable_x64(dtype == "float64")
    return context


def run(program: Callable[..., Any], *inputs: Any) -> Any:
    """Call a compiled program, and wait for it where an input is NumPy's.

    JAX may read NumPy's memory after the call returns, when the caller may already have changed it; waiting is
    cheaper than copying.
    """
    result = program(*inputs)
    if any(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(inputs)):
        jax.block_until_ready(result)  # type: ignore[no-untyped-call]
    return result


def cast_batch(batch: Batch, dtype: Dtype) -> Batch:
    """Cast x and real targets to dtype, and labels to int32."""
    y_dtype = jnp.int32 if jnp.issubdtype(batch.y.dtype, jnp.integer) else dtype
    return Batch(jnp.asarray(batch.x, dtype), jnp.asarray(batch.y, y_dtype))
