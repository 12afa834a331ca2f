"""Machine differentiation: ``jax.value_and_grad`` of a forward pass, and a trace by zero probes.

A *probe* is a zero added to a named intermediate. It changes no value, and dL/d(probe) is the gradient of the loss
with respect to that intermediate: so one ordinary backward pass yields the gradient of every name, also under jit.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from gradparity.models import module_of
from gradparity.protocol import Array, Batch, HandWrittenSpec, Key, ModelSpec, Params, Tap
from gradparity.recording import name_of, stacked, tapped_loss
from gradparity.runtime import ModelFunctions
from gradparity_jax.marks import Probes, mark, with_probes
from gradparity_jax.operations import operations

Loss: TypeAlias = Callable[[Params, Batch, Tap], Array]
Predict: TypeAlias = Callable[..., Array]


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the spec's model, differentiated by JAX. Raises UsageError where there is no forward pass for it."""
    named_loss, predict = (
        (partial(tapped_loss, spec.name, spec.hand.forward), None)
        if isinstance(spec, HandWrittenSpec)
        else _built_in(spec)
    )

    def loss(params: Params, batch: Batch) -> Array:
        return named_loss(params, batch, _identity)

    value_and_grad = jax.value_and_grad(loss)
    return ModelFunctions(
        value_and_grad=value_and_grad,
        loss=loss,
        predict=predict,
        trace=partial(_trace, named_loss),
        operations=partial(operations, named_loss),
        observing=partial(_observing, named_loss),
        hessian_vector=partial(hessian_vector, value_and_grad),
    )


def hessian_vector(
    value_and_grad: Callable[[Params, Batch], tuple[Array, dict[str, Array]]], params: Params, batch: Batch, v: Params
) -> dict[str, Array]:
    """Return how a gradient changes along v, whoever derived it: forward mode over it."""
    _, along = jax.jvp(lambda p: value_and_grad(p, batch)[1], (params,), (v,))
    return dict(along)


def _observing(tapped_loss: Loss, names: Collection[str]) -> Callable[[Params, Batch], Any]:
    def loss_and_values(params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        values: dict[str, Array] = {}

        def tap(key: Key, value: Array) -> Array:
            if key in names:
                values[name_of(key)] = value
            return value

        return tapped_loss(params, batch, tap), values

    differentiate = jax.value_and_grad(loss_and_values, has_aux=True)

    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, dict[str, Array], Params]:
        (loss, values), gradients = differentiate(params, batch)
        return loss, gradients, values

    return value_and_grad


def _identity(_: Key, value: Array) -> Array:
    return value


def _built_in(spec: ModelSpec) -> tuple[Loss, Predict | None]:
    model = module_of(spec, "gradparity_jax")
    return partial(model.loss, spec), lambda params, x, *extras: model.predict(spec, params, x, _identity, *extras)


def _hand_written(spec: HandWrittenSpec) -> tuple[Loss, Predict | None]:
    return partial(tapped_loss, spec.name, spec.hand.forward), None


def _trace(loss: Loss, params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the named values, and dL/d(name) of every named value and every parameter.

    The probes are added in the jaxpr, where each value arises, so that a forward pass may go on with a variable of
    its own instead of what the tap returned. A value that is not real, such as a mask, has no gradient and so is
    absent from the second dict.
    """
    forward = jax.make_jaxpr(lambda params, batch: loss(params, batch, mark))(params, batch)

    def run(params: Params, probes: Probes) -> tuple[Array, OrderedDict[Key, Array]]:
        (loss,), values = with_probes(forward, jax.tree.leaves((params, batch)), probes)
        return loss, values

    _, shapes = jax.eval_shape(run, params, {})
    probes = OrderedDict(
        (key, jnp.zeros(value.shape, value.dtype))
        for key, value in shapes.items()
        if jnp.issubdtype(value.dtype, jnp.floating)
    )
    differentiate = jax.value_and_grad(run, argnums=(0, 1), has_aux=True)
    (_, values), (of_params, of_probes) = differentiate(params, probes)
    return OrderedDict(stacked(values)), {**stacked(of_probes), **of_params}
