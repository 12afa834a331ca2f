"""All that is particular to MLX, whoever derives: how it compiles, converts, waits and takes a step."""

from collections.abc import Callable, Iterator
from typing import Any

import mlx.core as mx
import numpy as np

from gradparity.errors import UsageError
from gradparity.optimizers import SGD, Adam
from gradparity.protocol import Dtype
from gradparity.runtime import How, Optimizer, State, UpdateRule, map_arrays

mx.set_default_device(mx.cpu)  # float64 is there on the CPU alone


class MlxRuntime:
    """Functions on MLX arrays."""

    library = "mlx"

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:
        """Return the function on arrays whose floating-point numbers are cast to ``dtype``.

        MLX builds a graph of what is called and computes it when it is asked for, so there is little to compile.
        """
        wanted = {"float32": mx.float32, "float64": mx.float64}[dtype]

        def own(array: Any) -> mx.array:
            # By way of NumPy in any case: MLX alone would take float64 for float32.
            found = array if isinstance(array, mx.array) else self.from_numpy(np.asarray(array))
            return found.astype(wanted) if mx.issubdtype(found.dtype, mx.floating) else found

        return lambda *arguments: function(*(map_arrays(own, argument) for argument in arguments))

    def from_numpy(self, array: np.ndarray) -> mx.array:
        """Copy a NumPy array, dtype kept."""
        return mx.array(array, dtype=getattr(mx, array.dtype.name))

    def wait(self, x: Any) -> None:
        """Have every array in x computed."""
        mx.eval(*_arrays(x))

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return the rule's update. Raises UsageError for the conventions that are not written here."""
        if rule == SGD(lr=rule.lr, momentum=getattr(rule, "momentum", 0.0)):
            return _sgd(rule)
        if rule == Adam(lr=rule.lr):
            return _adam(rule)
        raise UsageError(f"backend 'mlx' has sgd, momentum and adam as they come, got {rule}: leave out the settings")


def _sgd(rule: SGD) -> Optimizer:
    def start(params: dict[str, mx.array]) -> tuple[dict[str, mx.array], Any]:
        return params, {name: mx.zeros_like(p) for name, p in params.items()}

    def update(
        params: dict[str, mx.array], gradients: dict[str, mx.array], velocity: Any, _: int
    ) -> tuple[dict[str, mx.array], Any]:
        velocity = {name: rule.momentum * velocity[name] + g for name, g in gradients.items()}
        return {name: p - rule.lr * velocity[name] for name, p in params.items()}, velocity

    return Optimizer(start, update)


def _adam(rule: Adam) -> Optimizer:
    def start(params: dict[str, mx.array]) -> tuple[dict[str, mx.array], Any]:
        return params, {name: (mx.zeros_like(p), mx.zeros_like(p)) for name, p in params.items()}

    def update(
        params: dict[str, mx.array], gradients: dict[str, mx.array], moments: Any, steps: int
    ) -> tuple[dict[str, mx.array], Any]:
        new, kept = {}, {}
        for name, g in gradients.items():
            m, v = moments[name]
            m = rule.beta1 * m + (1 - rule.beta1) * g
            v = rule.beta2 * v + (1 - rule.beta2) * g**2
            mean, square = m / (1 - rule.beta1 ** (steps + 1)), v / (1 - rule.beta2 ** (steps + 1))
            new[name], kept[name] = params[name] - rule.lr * mean / (mx.sqrt(square) + rule.eps), (m, v)
        return new, kept

    return Optimizer(start, update)


def _arrays(x: Any) -> Iterator[mx.array]:
    if isinstance(x, mx.array):
        yield x
    elif isinstance(x, dict):
        for value in x.values():
            yield from _arrays(value)
    elif isinstance(x, State | tuple | list):
        for value in x:
            yield from _arrays(value)
