"""Everything about PyTorch that does not depend on who derives: boundary, optimisers, training step.

A derivation comes in as ``ModelFunctions`` on tensors. All of it runs without autograd's bookkeeping; a
machine derivation turns that on for itself.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from gradparity.errors import UsageError, unknown
from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    Examples,
    HandDerivation,
    ModelFunctions,
    ModelSpec,
    Operations,
    Params,
    Trace,
)

OptimizerFactory = Callable[[list[Tensor]], torch.optim.Optimizer]
"""Makes the optimiser of the given parameter tensors, which it updates in place."""


def _sgd(params: list[Tensor], *, lr: float) -> torch.optim.Optimizer:
    """Plain gradient descent: p -= lr·g."""
    return torch.optim.SGD(params, lr=lr)


def _momentum(params: list[Tensor], *, lr: float, momentum: float = 0.9) -> torch.optim.Optimizer:
    """Heavy ball (Polyak 1964) as PyTorch has it, with lr outside the velocity: v = μv + g, p -= lr·v."""
    return torch.optim.SGD(params, lr=lr, momentum=momentum)


def _adam(
    params: list[Tensor], *, lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> torch.optim.Optimizer:
    """Kingma & Ba 2015, arXiv:1412.6980, algorithm 1."""
    return torch.optim.Adam(params, lr=lr, betas=(beta1, beta2), eps=eps)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
}

# Both measured on two cores, with MKL.
NUMBERS_PER_GATHER = 2**20
"""Batches are gathered together up to this many input numbers: 4 MiB of float32."""
NARROW = 16
"""Matrices with fewer columns than this are kept column by column."""


@dataclass(frozen=True)
class TorchBackend:
    """One way of getting a gradient on PyTorch tensors."""

    name: str
    differentiation: Differentiation
    functions: Callable[[ModelSpec], ModelFunctions]
    """The spec's mathematics on tensors; raises UsageError where there is none."""
    library: ClassVar[str] = "torch"

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> "TorchModel":
        """Return the spec's model. Raises UsageError where this backend has none of that name."""
        return TorchModel(spec, dtype, self.functions(spec))

    def from_numpy(self, array: Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
        """Copy a NumPy array into a tensor, dtype kept."""
        return torch.from_numpy(np.array(array, order="C"))

    def to_numpy(self, array: Shaped[Tensor, "..."]) -> Shaped[np.ndarray, "..."]:
        """Copy a tensor to NumPy, dtype kept; waits for it."""
        return _to_numpy(array)

    def optimizer(self, name: str, **hyperparameters: float) -> OptimizerFactory:
        """Return "sgd" (lr), "momentum" (lr, momentum=0.9) or "adam" (lr, beta1=0.9, beta2=0.999, eps=1e-8).

        Raises UsageError for an unknown name, and for an unknown, missing or impossible hyperparameter.
        """
        if name not in OPTIMIZERS:
            raise unknown("optimizer", name, OPTIMIZERS)
        known = list(inspect.signature(OPTIMIZERS[name]).parameters)[1:]  # the first is the parameters to update
        for hyperparameter, value in hyperparameters.items():
            if hyperparameter not in known:
                raise unknown(f"hyperparameter of optimizer '{name}'", hyperparameter, known)
            if not math.isfinite(value):
                raise UsageError(f"optimizer '{name}': {hyperparameter} must be finite, got {value!r}")
        if "lr" not in hyperparameters:
            raise UsageError(f"optimizer '{name}' needs a learning rate, got none: pass lr, for example lr=0.1")
        factory = partial(OPTIMIZERS[name], **hyperparameters)
        try:
            factory([torch.zeros(1)])  # PyTorch knows the range of each, but says so only on construction
        except ValueError as error:
            raise UsageError(f"optimizer '{name}': {error}") from error
        return factory

    def wait(self, x: Any) -> None:
        """Wait until every tensor in x is computed; on the CPU it is already."""
        if any(tensor.is_cuda for tensor in _tensors(x)):
            torch.cuda.synchronize()


@dataclass(frozen=True)
class TorchModel:
    """A spec on PyTorch tensors in one dtype. NumPy arrays and tensors come in; detached tensors go out."""

    spec: ModelSpec
    dtype: Dtype
    functions: ModelFunctions

    @property
    def derivation(self) -> HandDerivation | None:
        """The hand derivation on tensors, or None where autograd derives."""
        return self.functions.derivation

    @torch.no_grad()
    def loss(self, params: Params, batch: Batch) -> Float[Tensor, ""]:
        """Return the loss."""
        value: Tensor = self.functions.loss(_cast_all(params, self.dtype), _batch(batch, self.dtype))
        return value

    @torch.no_grad()
    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, "..."]]]:
        """Return the loss and its gradient by parameter name, each of the parameter's shape."""
        return self.functions.value_and_grad(_cast_all(params, self.dtype), _batch(batch, self.dtype))

    @torch.no_grad()
    def predict(self, params: Params, x: Shaped[Array, "n features"]) -> Float[Tensor, "n outputs"]:
        """Return the model's output. Raises UsageError for a hand-written model, which has only a loss."""
        outputs: Tensor = self.functions.predict(_cast_all(params, self.dtype), _cast(x, self.dtype))
        return outputs

    @torch.no_grad()
    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""
        values, gradients = self.functions.trace(_cast_all(params, self.dtype), _batch(batch, self.dtype))
        return Trace(
            {name: np.asarray(torch.as_tensor(value)) for name, value in values.items()},
            {name: np.asarray(torch.as_tensor(gradient)) for name, gradient in gradients.items()},
        )

    @torch.no_grad()
    def operations(self, params: Params, batch: Batch) -> Mapping[str, Operations]:
        """Return the nodes of autograd's graph, line by line; nothing where the hand derives."""
        if self.functions.operations is None:
            return {}
        return self.functions.operations(_cast_all(params, self.dtype), _batch(batch, self.dtype))

    def train_step(self, optimizer: Any) -> "TorchTrainStep":
        """Return a training step with an OptimizerFactory. Raises UsageError for another backend's optimiser."""
        if not callable(optimizer):
            raise UsageError(
                "train_step takes an optimizer of the same backend, "
                f"got {type(optimizer).__name__}: make it with backend('torch').optimizer('sgd', lr=0.1)"
            )
        return TorchTrainStep(self.functions, self.dtype, optimizer)


class State(NamedTuple):
    """The parameters, and the optimiser that updates them in place."""

    params: dict[str, Tensor]
    optimizer: torch.optim.Optimizer


class LoadedExamples(NamedTuple):
    """Examples as tensors: x still uint8 where it was, y ready for the loss."""

    x: Tensor
    y: Tensor
    divisor: float


@dataclass(frozen=True)
class TorchTrainStep:
    """One optimiser step, and the epoch made of it. The state is updated in place."""

    functions: ModelFunctions
    dtype: Dtype
    optimizer: OptimizerFactory

    def start(self, params: Params) -> State:
        """Return the state before the first step. ``params`` is copied, never changed."""
        copies = {name: _copy(value) for name, value in _cast_all(params, self.dtype).items()}
        return State(copies, self.optimizer(list(copies.values())))

    @torch.no_grad()
    def __call__(self, state: State, batch: Batch) -> tuple[State, Float[Tensor, ""]]:
        """Take one step. Returns the state and the loss before the step."""
        return state, self._step(state, _batch(batch, self.dtype))

    def load(self, examples: Examples) -> LoadedExamples:
        """Wrap the examples: uint8 stays uint8, without a copy where the array is writable."""
        x_dtype = "uint8" if examples.x.dtype == np.uint8 else self.dtype
        return LoadedExamples(_cast(examples.x, x_dtype), _targets(examples.y, self.dtype), examples.divisor)

    @torch.no_grad()
    def epoch(
        self, state: State, loaded: LoadedExamples, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[State, Float[np.ndarray, " steps"]]:
        """Step through the loaded examples in this order; the last batch may be smaller.

        Returns the state and the loss before each step.
        """
        losses = torch.empty(math.ceil(len(order) / batch_size), dtype=getattr(torch, self.dtype))
        for i, batch in enumerate(_batches(loaded, _cast(order, "int64"), batch_size, losses.dtype)):
            losses[i] = self._step(state, batch)
        return state, losses.numpy()

    def params(self, state: State) -> dict[str, Float[Tensor, "..."]]:
        """Return a copy of the state's parameters, which later steps leave alone."""
        return {name: value.clone(memory_format=torch.contiguous_format) for name, value in state.params.items()}

    def _step(self, state: State, batch: Batch) -> Tensor:
        loss: Tensor
        loss, gradients = self.functions.value_and_grad(state.params, batch)
        for name, value in state.params.items():
            value.grad = gradients[name]
        state.optimizer.step()
        return loss


def _batches(loaded: LoadedExamples, order: Tensor, batch_size: int, dtype: torch.dtype) -> Iterator[Batch]:
    """Gather the batches, as float. Their memory is reused: be done with each before taking the next."""
    # Several batches at a time make fewer, larger calls and still fit the cache. A thread that gathers ahead was
    # slower on two cores: it takes them from the matrix products.
    row = loaded.x.shape[1:]
    size = batch_size * max(1, NUMBERS_PER_GATHER // (batch_size * row.numel()))
    shape = (min(size, len(order)), *row)
    rows, x = torch.empty(shape, dtype=loaded.x.dtype), torch.empty(shape, dtype=dtype)
    for start in range(0, len(order), size):
        index = order[start : start + size]
        n = len(index)
        torch.index_select(loaded.x, 0, index, out=rows[:n])
        x[:n] = rows[:n]
        if loaded.divisor != 1.0:
            x[:n] /= loaded.divisor
        y = loaded.y.index_select(0, index)
        yield from map(Batch, torch.split(x[:n], batch_size), torch.split(y, batch_size))


def _copy(value: Tensor) -> Tensor:
    """Copy a parameter into memory of its own, in the layout in which the matrix products are fast."""
    # With x (256, 784), a product with W (784, 10) takes a third of the time when W's columns are contiguous, and
    # autograd returns dW in the same layout. From 16 columns on, rows are as fast or faster.
    if value.ndim == 2 and value.shape[1] < NARROW:
        return value.T.clone(memory_format=torch.contiguous_format).T
    return value.clone(memory_format=torch.contiguous_format)


def _cast_all(arrays: Mapping[str, Array], dtype: Dtype) -> dict[str, Tensor]:
    return {name: _cast(array, dtype) for name, array in arrays.items()}


def _batch(batch: Batch, dtype: Dtype) -> Batch:
    return Batch(_cast(batch.x, dtype), _targets(batch.y, dtype))


def _targets(y: Array, dtype: Dtype) -> Tensor:
    """Cast real targets to the model's dtype, labels to the int64 that PyTorch's losses want."""
    real = y.is_floating_point() if isinstance(y, Tensor) else np.asarray(y).dtype.kind == "f"
    return _cast(y, dtype if real else "int64")


def _cast(array: Array, dtype: str) -> Tensor:
    """Return the array as a detached tensor; memory is shared if the array has the dtype and is writable."""
    if isinstance(array, Tensor):
        return array.detach().to(getattr(torch, dtype))
    # torch.from_numpy warns about arrays that are not writable, and refuses negative strides.
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, Mapping):
        yield from _tensors(list(x.values()))
    elif isinstance(x, list | tuple):
        for item in x:
            yield from _tensors(item)
