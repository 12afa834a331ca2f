"""JAX as a library of backends, whoever derives: jit, dtypes, optax's optimisers, and one compiled epoch."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradparity.protocol import Array, Batch, Dtype, Examples, ModelSpec
from gradparity.runtime import How, Optimizer, State, Step, UpdateRule, map_arrays
from gradparity_jax import update_rules

COMPILED_SOON = {"xla_backend_optimization_level": 0}
"""Halves the time that XLA takes for a long program."""


class JaxRuntime:
    """Functions on JAX arrays, each compiled at its first call for each shape."""

    library = "jax"

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:
        """Return the function, under jit unless it is eager, in the precision of ``dtype``."""

        def of_own(*arguments: Any) -> Any:
            result = function(*[map_arrays(partial(_cast, dtype=dtype), argument) for argument in arguments])
            return _in_order(result) if how in ("program", "trace") else result

        if how == "eager":
            return _Program(of_own, dtype)
        donated, options = 0 if how == "step" else (), COMPILED_SOON if how == "trace" else None
        return _Program(jax.jit(of_own, donate_argnums=donated, compiler_options=options), dtype)

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into JAX's own, dtype kept."""
        with jax.enable_x64(True):
            return jax.device_put(array.copy())

    def wait(self, x: Any) -> None:
        """Wait until every array in x is computed."""
        jax.block_until_ready(x)  # type: ignore[no-untyped-call]

    def forget(self) -> None:
        """Free what JAX has compiled so far in this process."""
        jax.clear_caches()  # type: ignore[no-untyped-call]

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return optax's rule, on parameters of which each matrix lies transposed (``update_rules``)."""
        return update_rules.optimizer(rule)

    def load(self, examples: Examples, dtype: Dtype) -> Examples:
        """Put the examples on the device: uint8 images as they are, real numbers in the dtype, whole ones as int32.

        The device may read the caller's own memory.
        """

        def own(array: np.ndarray) -> Array:
            wanted = {"f": dtype, "i": "int32", "u": "uint8" if array.dtype == np.uint8 else "int32"}
            there = jax.device_put(array.astype(wanted.get(array.dtype.kind, array.dtype), copy=False))
            return there.block_until_ready()

        with _precision(dtype):
            return examples.map(own)

    def epoch(self, step: Step, spec: ModelSpec, dtype: Dtype) -> Callable[[State, Any, np.ndarray, int], Any]:  # noqa: ARG002
        """Return an epoch that is one compiled scan over its steps."""

        def scan(state: State, loaded: Batch, divisor: Array, order: Array, batch_size: int) -> tuple[State, Array]:
            def take(state: State, index: Array) -> tuple[State, Array]:
                return step(state, _gathered(loaded, divisor, index, dtype))

            full, rest = divmod(len(order), batch_size)
            state, losses = jax.lax.scan(take, state, order[: full * batch_size].reshape(full, batch_size))
            if rest:
                state, last = take(state, order[full * batch_size :])
                losses = jnp.append(losses, last)
            return state, losses

        compiled = jax.jit(scan, static_argnums=4, donate_argnums=0)

        def epoch(state: State, loaded: Examples, order: np.ndarray, batch_size: int) -> tuple[State, np.ndarray]:
            with _precision(dtype):
                divisor = np.dtype(dtype).type(loaded.divisor)
                arrays = Batch(loaded.x, loaded.y, loaded.extras)
                new_state, losses = compiled(state, arrays, divisor, order.astype(np.int32), batch_size)
                jax.block_until_ready(new_state)  # type: ignore[no-untyped-call]
                return new_state, np.array(losses)

        return epoch


@dataclass(frozen=True)
class _Program:
    """A function to be called in its own precision, on NumPy's arrays and JAX's."""

    function: Callable[..., Any]
    dtype: Dtype

    def __call__(self, *arguments: Any) -> Any:
        with _precision(self.dtype):
            result = self.function(*arguments)
            # JAX may read NumPy's memory after the call returns, when the caller may already have changed it; waiting
            # is cheaper than copying.
            for argument in arguments:
                if _holds_numpy(argument):
                    jax.block_until_ready(result)  # type: ignore[no-untyped-call]
            return result

    def stages(self, state: State, batch: Batch) -> Iterator[str]:
        """Do ahead what the first call would do: "trace" is from Python to StableHLO, "compile" to machine code."""
        # The caller's code runs between the stages, so the precision is set in each and not around both.
        with _precision(self.dtype):
            lowered = self.function.lower(state, batch)  # type: ignore[attr-defined]
        yield "trace"
        with _precision(self.dtype):
            lowered.compile()
        yield "compile"


def _precision(dtype: Dtype) -> AbstractContextManager[None]:
    """64-bit types exactly where the model needs them, whatever the user's own ``jax_enable_x64`` is."""
    context: AbstractContextManager[None] = jax.enable_x64(dtype == "float64")
    return context


def _holds_numpy(argument: Any) -> bool:
    # A state is JAX's own.
    if isinstance(argument, State):
        return False
    if isinstance(argument, Batch):
        x, y, extras = argument
        return isinstance(x, np.ndarray) or isinstance(y, np.ndarray) or (bool(extras) and _holds_numpy(extras))
    if isinstance(argument, dict):
        return any(isinstance(a, np.ndarray) for a in argument.values())
    return isinstance(argument, np.ndarray)


def _cast(array: Array, dtype: Dtype) -> Array:
    """Cast real numbers to the dtype, and whole ones to JAX's index type."""
    kind = jnp.result_type(array)
    if jnp.issubdtype(kind, jnp.floating):
        return jnp.asarray(array, dtype)
    return jnp.asarray(array, jnp.int32) if jnp.issubdtype(kind, jnp.integer) else jnp.asarray(array)


def _in_order(result: Any) -> Any:
    """JAX gives a plain dict back sorted by name; the order of the forward pass would be lost."""
    named = type(result) is tuple and all(isinstance(part, dict) for part in result)
    return tuple(map(OrderedDict, result)) if named else result


def _gathered(loaded: Batch, divisor: Array, index: Array, dtype: Dtype) -> Batch:
    # Batch by batch: gathering the whole epoch first writes and reads every image once more, and is slower.
    batch = loaded.map(lambda array: jnp.take(array, index, axis=0, mode="clip"))
    if batch.x.dtype != jnp.uint8 and not jnp.issubdtype(batch.x.dtype, jnp.floating):
        return batch
    x = batch.x.astype(dtype)
    # XLA rewrites a division by one number, even by an argument, to a product with its reciprocal, which rounds
    # about half of the pixels differently from NumPy. Behind the barrier it cannot see that it is one number.
    divisor = jax.lax.optimization_barrier(jnp.broadcast_to(divisor, x.shape))  # type: ignore[no-untyped-call]
    return batch._replace(x=x / divisor)
