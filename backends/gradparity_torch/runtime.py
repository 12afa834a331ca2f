"""PyTorch as a library of backends, whoever derives: tensors, ``torch.optim``, and an epoch of few large gathers.

Everything runs without autograd's bookkeeping; a machine derivation turns that on for itself.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from gradparity.protocol import Array, Batch, Dtype, Examples, ModelSpec
from gradparity.runtime import How, Optimizer, State, Step, UpdateRule, map_arrays
from gradparity_torch import update_rules

# Measured on two cores, with MKL.
NUMBERS_PER_GATHER = 2**20
"""Batches are gathered together up to this many input numbers: 4 MiB of float32."""


class TorchRuntime:
    """Functions on tensors. NumPy arrays and tensors come in; detached tensors go out."""

    library = "torch"

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:  # noqa: ARG002
        """Return the function on detached tensors, without autograd. It shares its inputs' memory where it can."""
        wanted = getattr(torch, dtype)

        def cast(array: Array) -> Tensor:
            return _cast(array, wanted)

        @torch.no_grad()
        def call(*arguments: Any) -> Any:
            return function(*[map_arrays(cast, argument) for argument in arguments])

        return call

    def from_numpy(self, array: Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
        """Copy a NumPy array into a tensor, dtype kept."""
        return torch.from_numpy(np.array(array, order="C"))

    def wait(self, x: Any) -> None:
        """Wait until every tensor in x is computed; on the CPU it is already."""
        if any(tensor.is_cuda for tensor in _tensors(x)):
            torch.cuda.synchronize()

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return PyTorch's own optimiser of the rule, which updates the parameters in place (``update_rules``)."""
        return update_rules.optimizer(rule)

    def load(self, examples: Examples, dtype: Dtype) -> Examples:
        """Wrap the examples: uint8 stays uint8, without a copy where the array is writable."""
        wanted = getattr(torch, dtype)
        return examples.map(lambda a: _own(a) if a.dtype == np.uint8 else _cast(a, wanted))

    def epoch(self, step: Step, spec: ModelSpec, dtype: Dtype) -> Callable[[State, Any, np.ndarray, int], Any]:  # noqa: ARG002
        """Return an epoch that gathers many small batches at once."""
        real = getattr(torch, dtype)

        @torch.no_grad()
        def epoch(state: State, loaded: Examples, order: np.ndarray, batch_size: int) -> tuple[State, np.ndarray]:
            losses = torch.empty(math.ceil(len(order) / batch_size), dtype=real)
            for i, batch in enumerate(_batches(loaded, _cast(order, real), batch_size, real)):
                state, losses[i] = step(state, batch)
            return state, losses.numpy()

        return epoch


def _batches(loaded: Examples, order: Tensor, batch_size: int, dtype: torch.dtype) -> Iterator[Batch]:
    """Gather the batches, images as float. Their memory is reused: be done with each before taking the next."""
    # Several batches at a time make fewer, larger calls and still fit the cache. A thread that gathers ahead was
    # slower on two cores: it takes them from the matrix products.
    row = loaded.x.shape[1:]
    size = batch_size * max(1, NUMBERS_PER_GATHER // (batch_size * row.numel()))
    shape = (min(size, len(order)), *row)
    rows = torch.empty(shape, dtype=loaded.x.dtype)
    real = loaded.x.dtype == torch.uint8 or loaded.x.is_floating_point()
    x = torch.empty(shape, dtype=dtype) if real else rows
    for start in range(0, len(order), size):
        index = order[start : start + size]
        n = len(index)
        torch.index_select(loaded.x, 0, index, out=rows[:n])
        if real:
            x[:n] = rows[:n]
            if loaded.divisor != 1.0:
                x[:n] /= loaded.divisor
        y = _cast(loaded.y.index_select(0, index), dtype)
        extras = {
            name: torch.split(_cast(e.index_select(0, index), dtype), batch_size) for name, e in loaded.extras.items()
        }
        for i, (part, labels) in enumerate(
            zip(torch.split(x[:n], batch_size), torch.split(y, batch_size), strict=True)
        ):
            yield Batch(part, labels, {name: parts[i] for name, parts in extras.items()})


def _cast(array: Array, dtype: torch.dtype) -> Tensor:
    """Return real numbers in the dtype, and whole ones in the int64 that PyTorch's losses and indices want."""
    tensor = _own(array)
    if tensor.is_floating_point():
        return tensor.to(dtype)
    return tensor if tensor.dtype == torch.bool or tensor.is_complex() else tensor.to(torch.int64)


def _own(array: Array) -> Tensor:
    """Return the array as a detached tensor; memory is shared if it is writable."""
    if isinstance(array, Tensor):
        return array.detach()
    # torch.from_numpy warns about arrays that are not writable, and refuses negative strides.
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, Mapping):
        yield from _tensors(list(x.values()))
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _tensors(item)
