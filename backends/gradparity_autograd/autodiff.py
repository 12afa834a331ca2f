"""Machine differentiation of the hand-written forward pass by HIPS autograd.

autograd runs NumPy code on *boxes*: arrays that record, as a graph of nodes, which function made them. A derivation
in array-API style takes its functions from its arrays' own namespace, and that of a box is ``autograd.numpy``.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from autograd import make_vjp
from autograd import value_and_grad as with_grad
from autograd.numpy import numpy_wrapper
from autograd.tracer import getval, isbox

from gradparity.protocol import Array, Batch, Key, ModelSpec, Params, Tap
from gradparity.recording import name_of, stacked, tapped_loss
from gradparity.runtime import ModelFunctions
from gradparity_manual import derivation

# The array API's name: autograd knows it by NumPy's older one only, and would hand boxes to NumPy itself.
numpy_wrapper.concat = numpy_wrapper.concatenate

Loss: TypeAlias = Callable[[Params, Batch, Tap], Array]
Named: TypeAlias = dict[str, Array]
Keyed: TypeAlias = dict[Key, Array]


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the spec's model, its hand-written forward differentiated by autograd.

    Raises UsageError for a spec that has no hand derivation.
    """
    by_hand = derivation.functions(spec)
    assert by_hand.derivation is not None
    loss = partial(tapped_loss, spec.name, by_hand.derivation.forward)

    return ModelFunctions(
        value_and_grad=lambda params, batch: _value_and_grad(loss, _identity, params, batch),
        loss=by_hand.loss,
        predict=by_hand.predict,
        trace=lambda params, batch: _trace(loss, params, batch),
        observing=lambda names: _observing(loss, names),
    )


def _value_and_grad(loss: Loss, tap: Tap, params: Params, batch: Batch) -> tuple[Array, Named]:
    def of(*values: Array) -> Array:
        return loss(dict(zip(params, values, strict=True)), batch, tap)

    value, gradients = with_grad(of, argnum=tuple(range(len(params))))(*params.values())
    return value, {name: _like(p, g) for (name, p), g in zip(params.items(), gradients, strict=True)}


def _observing(loss: Loss, names: Collection[str]) -> Callable[[Params, Batch], Any]:
    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, Named, Named]:
        values: Named = {}

        def tap(key: Key, value: Array) -> Array:
            if key in names:
                values[name_of(key)] = getval(value)
            return value

        return *_value_and_grad(loss, tap, params, batch), values

    return value_and_grad


def _trace(loss: Loss, params: Params, batch: Batch) -> tuple[Named, Named]:
    """Return every named value, and the gradient of every named real value and every parameter."""
    values: Keyed = {}
    gradients: Keyed = {}
    listened_to = set()

    def listen(name: Key, box: Array) -> None:
        """Note the gradient that the backward pass brings to a box's node, before it goes on from there.

        At the node, a forward pass may go on with a variable of its own instead of what the tap returned.
        """
        node = box._node
        go_on = node.vjp

        def note(gradient: Array) -> Any:
            gradients[name] = gradient
            return go_on(gradient)

        node.vjp = note
        listened_to.add(node)

    # Inputs count as differentiable here, so that what is computed from them alone has a gradient as well.
    arrays = {"x": batch.x, "y": batch.y, **batch.extras}
    real_inputs = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}

    def of(zero: Array, *boxes: Array) -> Array:
        def tap(name: Key, value: Array) -> Array:
            values[name] = np.array(getval(value))
            if values[name].dtype.kind != "f":
                return value
            if not isbox(value) or value._node in listened_to:
                # A constant, or a second name for the same value: either gets a node of its own.
                value = value + zero
            listen(name, value)
            return value

        named = dict(zip(params, boxes, strict=False))
        for name, box in named.items():
            listen(name, box)
        x, y, *extras = ({**arrays, **dict(zip(real_inputs, boxes[len(params) :], strict=True))}).values()
        return loss(named, Batch(x, y, dict(zip(batch.extras, extras, strict=True))), tap)

    zero = np.zeros((), next(iter(params.values())).dtype)
    inputs = (zero, *params.values(), *real_inputs.values())
    backward, value = make_vjp(of, argnum=tuple(range(len(inputs))))(*inputs)
    backward(np.ones_like(value))
    named_values: Keyed = {**values, **params}  # type: ignore[dict-item]
    real = {name: v for name, v in named_values.items() if v.dtype.kind == "f"}
    return stacked(values), stacked({name: _like(v, gradients.get(name, 0)) for name, v in real.items()})


def _like(value: Array, gradient: Array) -> Array:
    """Return the gradient in the value's shape and dtype: some of autograd's rules compute in float64 throughout."""
    return np.broadcast_to(np.asarray(gradient, value.dtype), value.shape)


def _identity(name: Key, value: Array) -> Array:
    """The tap outside a trace."""
    del name
    return value
