"""Marks: identities that carry a name, by which one sees in a jaxpr where each named value and gradient is complete.

A mark is put on every named value of a forward pass. Its derivative is a mark again, so in the backward pass it stands
where the gradient of that name is complete. An equation belongs to the mark that its result goes into.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Primitive
from jax.interpreters import ad

from gradparity.protocol import Array, Batch, Params, Tap
from gradparity_jax.jaxprs import apply

MARK = "mark"
_mark_p = Primitive(MARK)


def _bind(value: Array, name: str, backward: bool) -> Array:
    return _mark_p.bind(value, name=name, backward=backward)  # type: ignore[no-untyped-call]


_mark_p.def_impl(lambda x, **_: x)  # type: ignore[no-untyped-call]
_mark_p.def_abstract_eval(lambda x, **_: x)  # type: ignore[no-untyped-call]
ad.deflinear2(  # type: ignore[no-untyped-call]
    _mark_p, lambda gradient, _, name, **__: [_bind(gradient, name, backward=True)]
)


class Target(NamedTuple):
    """What an equation helps to compute. Targets are in the order of the program: values, then gradients."""

    backward: bool
    place: int
    name: str


class Step(NamedTuple):
    """The variables that one equation reads and writes, and where it is a mark, of what."""

    reads: Sequence[Any]
    writes: Sequence[Any]
    mark: Target | None


def marked_gradient(loss: Callable[[Params, Batch, Tap], Array], params: Params, batch: Batch) -> ClosedJaxpr:
    """Return the jaxpr of ``value_and_grad`` of a forward pass with a mark at each tap.

    Each equation of the forward pass runs under ``jax.named_scope`` of its line, whoever wrote it.
    """
    forward = jax.make_jaxpr(lambda params, batch: loss(params, batch, _mark))(params, batch)
    scopes = scopes_of(forward)

    def marked(params: Params, batch: Batch) -> Array:
        return _evaluate(forward, scopes, jax.tree.leaves((params, batch)))

    return jax.make_jaxpr(jax.value_and_grad(marked))(params, batch)


def scopes_of(forward: ClosedJaxpr) -> list[str]:
    """Return the line of each equation of a marked forward pass."""
    steps = [
        Step(e.invars, e.outvars, Target(False, place, e.params["name"]) if _is_mark(e) else None)
        for place, e in enumerate(forward.jaxpr.eqns)
    ]
    return [target.name for target in served(steps, {})]


def served(steps: Sequence[Step], outputs: Mapping[Any, Target]) -> list[Target]:
    """Return for each equation the first target that its result goes into without passing another mark.

    ``outputs`` are the program's own that are targets. What nobody reads goes with the equation after it.
    """
    reached = dict(outputs)
    target = max([*outputs.values(), *(step.mark for step in steps if step.mark)])
    found: list[Target] = []
    for step in reversed(steps):
        needed = [reached[variable] for variable in step.writes if variable in reached]
        if step.mark or needed:
            target = step.mark or min(needed)
            for variable in step.reads:
                if not isinstance(variable, Literal):
                    reached[variable] = min(target, reached.get(variable, target))
        found.append(target)
    return found[::-1]


def _mark(name: str, value: Array) -> Array:
    return _bind(jnp.asarray(value), name, backward=False)


def _is_mark(equation: JaxprEqn) -> bool:
    return equation.primitive is _mark_p


def _evaluate(forward: ClosedJaxpr, scopes: Sequence[str], arguments: Sequence[Array]) -> Array:
    jaxpr = forward.jaxpr
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*forward.consts, *arguments], strict=True))

    def read(atom: Any) -> Array:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation, scope in zip(jaxpr.eqns, scopes, strict=True):
        with jax.named_scope(scope):
            results = apply(equation, [read(atom) for atom in equation.invars])
        known.update(zip(equation.outvars, results, strict=True))
        if _is_mark(equation) and not isinstance(equation.invars[0], Literal):
            # A forward pass may go on with a variable of its own instead of what the tap returned: that is marked too.
            known[equation.invars[0]] = results[0]
    return read(jaxpr.outvars[0])
