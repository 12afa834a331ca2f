"""Machine differentiation: ``jax.value_and_grad`` of a forward pass, and a trace by zero probes.

A *probe* is a zero added to a named intermediate. It changes no value, and dL/d(probe) is the gradient of the loss
with respect to that intermediate: so one ordinary backward pass yields the gradient of every name, also under jit.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Literal

from gradparity.errors import UsageError
from gradparity.models import module_of
from gradparity.protocol import Array, Batch, HandWrittenSpec, ModelSpec, Params, Tap
from gradparity.recording import tapped_loss
from gradparity.runtime import ModelFunctions
from gradparity_jax.jaxprs import apply
from gradparity_jax.operations import operations

Loss: TypeAlias = Callable[[Params, Batch, Tap], Array]
Atom: TypeAlias = Any
"""A variable or a literal of a jaxpr."""
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

        def tap(name: str, value: Array) -> Array:
            if name in names:
                values[name] = value
            return value

        return tapped_loss(params, batch, tap), values

    differentiate = jax.value_and_grad(loss_and_values, has_aux=True)

    def value_and_grad(params: Params, batch: Batch) -> tuple[Array, dict[str, Array], Params]:
        (loss, values), gradients = differentiate(params, batch)
        return loss, gradients, values

    return value_and_grad


def _identity(_: str, value: Array) -> Array:
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
    names: list[str] = []
    traced = jax.make_jaxpr(partial(_loss_and_values, loss, names))(params, batch)
    marks = dict(zip(names, traced.jaxpr.outvars[1:], strict=True))
    probes = {
        name: jnp.zeros(mark.aval.shape, mark.aval.dtype)
        for name, mark in marks.items()
        if jnp.issubdtype(mark.aval.dtype, jnp.floating)
    }

    def run(params: Params, probes: Params) -> tuple[Array, list[Array]]:
        loss, *values = _evaluate(traced, jax.tree.leaves((params, batch)), marks, probes)
        return loss, values

    differentiate = jax.value_and_grad(run, argnums=(0, 1), has_aux=True)
    (_, values), (of_params, of_probes) = differentiate(params, probes)
    return OrderedDict(zip(names, values, strict=True)), {**of_probes, **of_params}


def _loss_and_values(loss: Loss, names: list[str], params: Params, batch: Batch) -> tuple[Array, list[Array]]:
    values: list[Array] = []

    def tap(name: str, value: Array) -> Array:
        if name in names:
            raise UsageError(f"c['{name}'] is written twice: give each intermediate its own name")
        names.append(name)
        values.append(jnp.asarray(value))
        # A copy: a second name for the same value is then a variable of its own, with a gradient of its own.
        return jnp.copy(values[-1])

    total = loss(params, batch, tap)
    return total, values


def _evaluate(traced: ClosedJaxpr, arguments: list[Array], marks: Mapping[str, Atom], probes: Params) -> list[Array]:
    """Evaluate a jaxpr, adding each name's probe to its variable as soon as that has a value."""
    known: dict[Atom, Array] = {}

    def write(variable: Atom, value: Array) -> None:
        for name, mark in marks.items():
            if mark is variable and name in probes:
                value = value + probes[name]
        known[variable] = value

    def read(atom: Atom) -> Array:
        return atom.val if isinstance(atom, Literal) else known[atom]

    jaxpr = traced.jaxpr
    for variable, value in zip([*jaxpr.constvars, *jaxpr.invars], [*traced.consts, *arguments], strict=True):
        write(variable, value)
    for equation in jaxpr.eqns:
        for variable, value in zip(equation.outvars, apply(equation, [*map(read, equation.invars)]), strict=True):
            write(variable, value)
    return [read(atom) for atom in jaxpr.outvars]
