"""Training on JAX arrays, whoever derives: optax's optimisers, one compiled step, and one compiled epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from gradparity.errors import UsageError
from gradparity.protocol import Array, Batch, Dtype, Examples, Params
from gradparity_jax.boundary import cast_batch, precision, run


def _sgd(lr: float) -> Any:
    return optax.sgd(lr)


def _momentum(lr: float, momentum: float = 0.9) -> Any:
    return optax.sgd(lr, momentum=momentum)


def _adam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Any:
    return optax.adam(lr, b1=beta1, b2=beta2, eps=eps)


OPTIMIZERS: dict[str, Callable[..., Any]] = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}


class State(NamedTuple):
    """What one step hands to the next."""

    transposed_params: dict[str, Array]
    optimizer_state: Any


class Loaded(NamedTuple):
    """Examples on the device: x (n, features), uint8 or float; y; and what x is divided by."""

    x: Array
    y: Array
    divisor: Float[Array, ""]


@dataclass(frozen=True, eq=False)
class JaxTrainStep:
    """One compiled optimiser step, and a compiled epoch. A state is consumed by the call that it is passed to.

    The state holds each matrix transposed, so W as (outputs, inputs). XLA then computes the gradient as
    dWᵀ = dZᵀX, (outputs, n)·(n, inputs), where its CPU code for dW = XᵀdZ is several times slower for few outputs.
    The model still sees W: the compiler folds the transposes into the products.
    """

    value_and_grad: Callable[[Params, Batch], tuple[Array, dict[str, Array]]]
    dtype: Dtype
    optimizer: Any

    def start(self, params: Params) -> State:
        """Return the state before the first step. ``params`` is copied, never changed."""
        with precision(self.dtype):
            copies = {name: jax.device_put(np.array(value, self.dtype).T) for name, value in params.items()}
            return State(copies, self.optimizer.init(copies))

    def params(self, state: State) -> dict[str, Array]:
        """Return a copy of the state's parameters, which outlives the state."""
        with precision(self.dtype):
            return {name: jnp.array(value.T) for name, value in state.transposed_params.items()}

    def __call__(self, state: State, batch: Batch) -> tuple[State, Float[Array, ""]]:
        """Take one step. Returns the new state and the loss before the step; work may be pending."""
        with precision(self.dtype):
            new_state, loss = run(self._compiled_step, state, batch)
            return new_state, loss

    def stages(self, state: State, batch: Batch) -> Iterator[str]:
        """Do ahead what the first call with these shapes would do, and name each stage when it is done.

        "trace" is from Python to StableHLO, "compile" from there to machine code. The state is not consumed.
        """
        # The caller's code runs between the stages, so the precision is set in each and not around both.
        with precision(self.dtype):
            lowered = self._compiled_step.lower(state, batch)  # type: ignore[attr-defined]
        yield "trace"
        with precision(self.dtype):
            lowered.compile()
        yield "compile"

    def load(self, examples: Examples) -> Loaded:
        """Put the examples on the device: uint8 images as they are, other inputs and real targets in the dtype.

        The device may read the caller's own memory: leave the examples unchanged while they are in use.
        """
        x = examples.x if examples.x.dtype == np.uint8 else examples.x.astype(self.dtype, copy=False)
        y = examples.y.astype(self.dtype if examples.y.dtype.kind == "f" else np.int32, copy=False)
        with precision(self.dtype):
            return Loaded(*jax.device_put((x, y, np.dtype(self.dtype).type(examples.divisor))))

    def epoch(
        self, state: State, loaded: Loaded, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[State, Float[np.ndarray, " steps"]]:
        """Step through the loaded examples in this order; the last batch may be smaller.

        Returns the new state and the loss before each step; waits for both. Raises UsageError where ``order`` names
        an example that there is not.
        """
        n = len(loaded.x)
        if order.size and not (order.min() >= 0 and order.max() < n):
            raise UsageError(
                f"order must hold indices from 0 to {n - 1}, got {order.min()} to {order.max()}: "
                "draw it as a permutation of the loaded examples"
            )
        with precision(self.dtype):
            indices = order.astype(np.int32)
            new_state, losses = run(self._compiled_epoch, state, loaded, indices, batch_size)
            return new_state, np.array(losses)

    @cached_property
    def _compiled_step(self) -> Callable[..., Any]:
        return jax.jit(lambda state, batch: self._step(state, cast_batch(batch, self.dtype)), donate_argnums=0)

    @cached_property
    def _compiled_epoch(self) -> Callable[..., Any]:
        return jax.jit(self._epoch, static_argnums=3, donate_argnums=0)

    def _step(self, state: State, batch: Batch) -> tuple[State, Array]:
        loss, gradients = self.value_and_grad(_transposed(state.transposed_params), batch)
        updates, optimizer_state = self.optimizer.update(
            _transposed(gradients), state.optimizer_state, state.transposed_params
        )
        return State(optax.apply_updates(state.transposed_params, updates), optimizer_state), loss

    def _epoch(self, state: State, loaded: Loaded, order: Array, batch_size: int) -> tuple[State, Array]:
        step = partial(self._gather_and_step, loaded)
        full, rest = divmod(len(order), batch_size)
        state, losses = jax.lax.scan(step, state, order[: full * batch_size].reshape(full, batch_size))
        if rest:
            state, last = step(state, order[full * batch_size :])
            losses = jnp.append(losses, last)
        return state, losses

    def _gather_and_step(self, loaded: Loaded, state: State, index: Array) -> tuple[State, Array]:
        # Batch by batch: gathering the whole epoch first writes and reads every image once more, and is slower.
        x = jnp.take(loaded.x, index, axis=0, mode="clip").astype(self.dtype)
        # XLA rewrites a division by one number, even by an argument, to a product with its reciprocal, which rounds
        # about half of the pixels differently from NumPy. Behind the barrier it cannot see that it is one number.
        divisor = jnp.broadcast_to(loaded.divisor, x.shape)
        divisor = jax.lax.optimization_barrier(divisor)  # type: ignore[no-untyped-call]
        return self._step(state, Batch(x / divisor, jnp.take(loaded.y, index, axis=0, mode="clip")))


def _transposed(params: dict[str, Array]) -> dict[str, Array]:
    return {name: value.T for name, value in params.items()}
