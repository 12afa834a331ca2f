"""What crosses from the caller to JAX: dtype, precision, and whose memory it is."""

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


def detached(arrays: Any) -> Any:
    """Copy what is NumPy's: JAX may read it after the call returns, when the caller may have changed it."""
    return jax.tree.map(lambda array: array.copy() if isinstance(array, np.ndarray) else array, arrays)


def cast_batch(batch: Batch, dtype: Dtype) -> Batch:
    """Cast x and real targets to dtype, and labels to int32."""
    y_dtype = jnp.int32 if jnp.issubdtype(batch.y.dtype, jnp.integer) else dtype
    return Batch(jnp.asarray(batch.x, dtype), jnp.asarray(batch.y, y_dtype))
