"""Gradients by torch.autograd: of the package's own forward passes, and of a user's hand-written one."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from gradparity.errors import UsageError
from gradparity.models import module_of
from gradparity.protocol import Array, Batch, HandWrittenSpec, Key, ModelSpec, Params, Tap
from gradparity.recording import name_of, stacked, tapped_loss
from gradparity.runtime import ModelFunctions
from gradparity_torch.operations import operations

Loss = Callable[[Params, Batch, Tap], Tensor]
Predict = Callable[..., Tensor]
Place = TypeVar("Place", Tensor, GradientEdge)
"""Where in a graph a gradient is wanted."""
Name = TypeVar("Name", str, Key)


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the model's mathematics on PyTorch tensors, differentiated by torch.autograd.

    A spec that brings its own hand derivation is differentiated through its hand-written ``forward``.
    Raises UsageError for a spec that is neither that nor a model with a file here.
    """
    loss, predict = (
        (partial(tapped_loss, spec.name, spec.hand.forward), None)
        if isinstance(spec, HandWrittenSpec)
        else _built_in(spec)
    )

    return ModelFunctions(
        value_and_grad=partial(_value_and_grad, loss, _identity),
        loss=lambda params, batch: loss(params, batch, _identity),
        predict=predict,
        trace=partial(_trace, loss),
        operations=partial(operations, loss),
        observing=partial(_observing, loss),
        hessian_vector=partial(_hessian_vector, loss),
    )


def _hessian_vector(loss: Loss, params: Params, batch: Batch, v: Params) -> dict[str, Tensor]:
    """Return the gradient of v·∇L, which is H·v: H is symmetric."""
    leaves = {name: _leaf(value) for name, value in params.items()}
    with torch.enable_grad():
        value = loss(leaves, batch, _identity)
        found = torch.autograd.grad(value, list(leaves.values()), create_graph=True, allow_unused=True)
        zero = torch.zeros((), dtype=value.dtype)
        slope = sum(((g * v[name]).sum() for name, g in zip(leaves, found, strict=True) if g is not None), zero)
    return _gradients(slope, leaves, leaves)


def _value_and_grad(loss: Loss, tap: Tap, params: Params, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: _leaf(value) for name, value in params.items()}
    with torch.enable_grad():
        value = loss(leaves, batch, tap)
    return value.detach(), _gradients(value, leaves, leaves)


def _observing(loss: Loss, names: Collection[str]) -> Callable[[Params, Batch], Any]:
    def value_and_grad(params: Params, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Params]:
        values: dict[str, Tensor] = {}

        def tap(key: Key, value: Tensor) -> Tensor:
            if key in names:
                values[name_of(key)] = value.detach()
            return value

        return *_value_and_grad(loss, tap, params, batch), values

    return value_and_grad


def _built_in(spec: ModelSpec) -> tuple[Loss, Predict | None]:
    model = module_of(spec, "gradparity_torch")
    return partial(model.loss, spec), lambda params, x, *extras: model.predict(spec, params, x, _identity, *extras)


def _hand_written(spec: HandWrittenSpec) -> tuple[Loss, Predict | None]:
    return partial(tapped_loss, spec.name, spec.hand.forward), None


def _trace(loss: Loss, params: Params, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return every named value, and the gradient of every named value and every parameter."""
    leaves = {name: _leaf(value) for name, value in params.items()}
    # Inputs count as differentiable here, so that what is computed from them alone has a gradient as well.
    batch = batch.map(lambda value: _leaf(value) if value.is_floating_point() else value)
    values: dict[Key, Tensor] = {}
    edges: dict[Key, GradientEdge] = {name: get_gradient_edge(leaf) for name, leaf in leaves.items()}

    def tap(name: Key, value: Array) -> Array:
        if not isinstance(value, Tensor):
            raise UsageError(
                f"c['{name_of(name)}'] must be an array, got {type(value).__name__}: keep numbers in local variables"
            )
        values[name] = value.detach().clone()
        if not value.is_floating_point():
            return value
        if not value.requires_grad:
            value = _leaf(value)
        if get_gradient_edge(value) in edges.values():
            # Two names of one tensor: the second needs a node of its own, or both get the sum of all uses.
            value = value.view_as(value)
        # The edge, not the tensor: it stays this value's own even if the tensor is changed in place later.
        edges[name] = get_gradient_edge(value)
        return value

    with torch.enable_grad():
        total = loss(leaves, batch, tap)
    # A mask or an index has no gradient, and so none of zeros either.
    real: dict[Key, Tensor] = {name: value for name, value in values.items() if value.is_floating_point()}
    real.update(leaves)
    return stacked(values), stacked(_gradients(total, edges, real))


def _gradients(loss: Tensor, wanted: Mapping[Name, Place], like: Mapping[Name, Tensor]) -> dict[Name, Tensor]:
    """Return dL/d(name) in the shape of ``like[name]``: zero where the loss does not depend on the name."""
    found: dict[Name, Tensor | None] = {}
    if loss.requires_grad:
        found = dict(zip(wanted, torch.autograd.grad(loss, list(wanted.values()), allow_unused=True), strict=True))
    zeros = partial(torch.zeros_like, dtype=loss.dtype)
    return {name: zeros(value) if (g := found.get(name)) is None else g for name, value in like.items()}


def _leaf(value: Tensor) -> Tensor:
    """Return the same memory as the start of a new graph; the tensor given and its .grad are left alone."""
    return value.detach().requires_grad_()


def _identity(name: Key, value: Tensor) -> Tensor:
    """The tap outside a trace."""
    del name
    return value
