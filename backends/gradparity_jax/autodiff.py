"""Machine differentiation: ``jax.value_and_grad`` of a forward pass, and a trace by zero probes.

A *probe* is a zero added to a named intermediate. It changes no value, and dL/d(probe) is the gradient of the loss
with respect to that intermediate: so one ordinary backward pass yields the gradient of every name, also under jit.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TypeAlias

import jax
import jax.numpy as jnp

from gradparity.cache import TappedCache
from gradparity.errors import UsageError, unknown
from gradparity.protocol import Array, Batch, HandWrittenSpec, ModelFunctions, ModelSpec, Params, Tap
from gradparity_jax import mlp, softmax_regression

MODELS: dict[str, ModuleType] = {"softmax_regression": softmax_regression, "mlp": mlp}
"""Model name -> the module of its forward pass."""

Loss: TypeAlias = Callable[[Params, Batch, Tap], Array]
Predict: TypeAlias = Callable[[Params, Array], Array]


def functions(spec: ModelSpec) -> ModelFunctions:
    """Return the spec's model, differentiated by JAX. Raises UsageError where there is no forward pass for it."""
    tapped_loss, predict = _hand_written(spec) if isinstance(spec, HandWrittenSpec) else _built_in(spec)

    def loss(params: Params, batch: Batch) -> Array:
        return tapped_loss(params, batch, _identity)

    return ModelFunctions(
        loss=loss,
        value_and_grad=jax.value_and_grad(loss),
        predict=predict,
        trace=partial(_trace, tapped_loss),
        derivation=None,
    )


def _identity(_: str, value: Array) -> Array:
    return value


def _built_in(spec: ModelSpec) -> tuple[Loss, Predict]:
    if spec.name not in MODELS:
        raise unknown("model of backend 'jax'", spec.name, MODELS)
    model = MODELS[spec.name]
    return partial(model.loss, spec), partial(model.predict, spec, tap=_identity)


def _hand_written(spec: HandWrittenSpec) -> tuple[Loss, Predict]:
    def loss(params: Params, batch: Batch, tap: Tap) -> Array:
        c = TappedCache(tap)
        spec.hand.forward(params, batch, c)
        if "loss" not in c:
            raise UsageError(f"forward must write c['loss'] last, it wrote {', '.join(c) or 'nothing'}")
        if jnp.shape(c["loss"]) != ():
            raise UsageError(
                f"c['loss'] must be a single number, got shape {jnp.shape(c['loss'])}: take the mean or the sum"
            )
        return c["loss"]

    def predict(_params: Params, _x: Array) -> Array:
        raise UsageError(f"the hand-written model '{spec.name}' has no predict: its forward needs y; use loss or trace")

    return loss, predict


def _trace(loss: Loss, params: Params, batch: Batch) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the named values, and dL/d(name) of every named value and every parameter.

    A value that is not real, such as a mask, has no gradient and so is absent from the second dict.
    """
    _, values = jax.eval_shape(partial(_run_with_probes, loss), params, {}, batch)
    probes = OrderedDict(
        (name, jnp.zeros(value.shape, value.dtype))
        for name, value in values.items()
        if jnp.issubdtype(value.dtype, jnp.floating)
    )
    differentiate = jax.value_and_grad(partial(_run_with_probes, loss), argnums=(0, 1), has_aux=True)
    (_, values), (of_params, of_probes) = differentiate(params, probes, batch)
    return values, {**of_probes, **of_params}


def _run_with_probes(loss: Loss, params: Params, probes: Params, batch: Batch) -> tuple[Array, OrderedDict[str, Array]]:
    # Ordered: JAX gives a plain dict back sorted by name, and the order of the forward pass would be lost.
    values: OrderedDict[str, Array] = OrderedDict()

    def tap(name: str, value: Array) -> Array:
        if name in values:
            raise UsageError(f"c['{name}'] is written twice: give each intermediate its own name")
        values[name] = value + probes[name] if name in probes else value
        return values[name]

    return loss(params, batch, tap), values
