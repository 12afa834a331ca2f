"""A third party's backend, whole: gradients of the hand-written forward by complex steps, on a library of its own.

The library is NumPy with another name. Eight members, and no base class: name, differentiation and functions; library,
compile, from_numpy, wait and optimizer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.model import RuntimeBackend
from gradparity.optimizers import SGD
from gradparity.protocol import Array, Batch, Dtype, HandDerivation, ModelSpec, Params
from gradparity.runtime import How, ModelFunctions, Optimizer, UpdateRule, map_arrays
from gradparity_manual import derivation

STEP = 1e-30


def functions(spec: ModelSpec) -> ModelFunctions:
    """One primitive: for real x, f(x + ih) = f(x) + ih f'(x), to the last digit for so small an h."""
    hand = derivation.functions(spec).derivation
    assert isinstance(hand, HandDerivation)

    def loss_at(params: Params, batch: Batch) -> Any:
        c: dict[str, Array] = {}
        hand.forward(params, batch, c)
        return c["loss"]

    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        gradients = {}
        for name, value in params.items():
            gradients[name] = np.empty_like(value)
            for index in np.ndindex(value.shape):
                moved = value.astype(complex)
                moved[index] += 1j * STEP
                gradients[name][index] = loss_at({**params, name: moved}, batch).imag / STEP
        return loss_at(params, batch), gradients

    return ModelFunctions(value_and_grad)


class Runtime:
    library = "mine"

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:  # noqa: ARG002
        def cast(array: Array) -> np.ndarray:
            return np.asarray(array, dtype) if np.asarray(array).dtype.kind == "f" else np.asarray(array)

        return lambda *arguments: function(*(map_arrays(cast, argument) for argument in arguments))

    def from_numpy(self, array: np.ndarray) -> np.ndarray:
        return array.copy()

    def wait(self, x: Any) -> None:
        pass

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        if not isinstance(rule, SGD):
            raise UsageError(f"backend 'mine' has no optimizer '{rule.name}': use sgd")

        def update(params: Params, gradients: Params, memory: None, _: int) -> tuple[dict[str, Array], None]:
            return {name: (p - rule.lr * gradients[name]).astype(p.dtype) for name, p in params.items()}, memory

        return Optimizer(lambda params: (params, None), update)


backend = RuntimeBackend("mine", "machine", functions, Runtime())
