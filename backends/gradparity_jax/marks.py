"""Marks: identities that carry a name, by which one sees in a jaxpr where each named value and gradient is complete.

A mark is put on every named value of a forward pass, in the body of a scan too. Its derivative is a mark again, so in
the backward pass it stands where the gradient of that name is complete. An equation belongs to the mark that its
result goes into.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Primitive
from jax.interpreters import ad

from gradparity.protocol import Array, Batch, Key, Params, Tap
from gradparity.recording import name_of
from gradparity_jax.jaxprs import apply

MARK = "mark"
_mark_p = Primitive(MARK)


Probes: TypeAlias = Mapping[Key, Array]
"""Name -> a zero that is added to its value; of a name in the body of a scan, one for each pass."""


def _bind(value: Array, name: Key, backward: bool) -> Array:
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


class Marked(NamedTuple):
    """The variables that one equation reads and writes, and where it is a mark, of what."""

    reads: Sequence[Any]
    writes: Sequence[Any]
    mark: Target | None


def marked_gradient(loss: Callable[[Params, Batch, Tap], Array], params: Params, batch: Batch) -> ClosedJaxpr:
    """Return the jaxpr of ``value_and_grad`` of a forward pass with a mark at each tap.

    Each equation of the forward pass runs under ``jax.named_scope`` of its line, whoever wrote it.
    """
    forward = jax.make_jaxpr(lambda params, batch: loss(params, batch, _mark_name))(params, batch)
    scopes = scopes_of(forward)

    def marked(params: Params, batch: Batch) -> Array:
        return _evaluate(forward, scopes, jax.tree.leaves((params, batch)))

    return jax.make_jaxpr(jax.value_and_grad(marked))(params, batch)


def scopes_of(forward: ClosedJaxpr) -> list[str]:
    """Return the line of each equation of a marked forward pass."""
    steps = [
        Marked(e.invars, e.outvars, Target(False, place, e.params["name"]) if _is_mark(e) else None)
        for place, e in enumerate(forward.jaxpr.eqns)
    ]
    return [target.name for target in served(steps, {})]


def served(steps: Sequence[Marked], outputs: Mapping[Any, Target]) -> list[Target]:
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


def mark(name: Key, value: Array) -> Array:
    """Return the value with a mark: the tap of a forward pass that is read as a jaxpr."""
    return _bind(jnp.asarray(value), name, backward=False)


def _mark_name(key: Key, value: Array) -> Array:
    return mark(name_of(key), value)


def _is_mark(equation: JaxprEqn) -> bool:
    return equation.primitive is _mark_p


def has_marks(equation: JaxprEqn) -> bool:
    """Whether an equation is a scan with marks in its body."""
    return equation.primitive.name == "scan" and bool(_marked(equation.params["jaxpr"].jaxpr))


def _marked(jaxpr: Jaxpr) -> list[Key]:
    """Return the names that a jaxpr marks, those of the scans in it too, in order."""
    names: list[Key] = []
    for equation in jaxpr.eqns:
        if _is_mark(equation):
            names.append(equation.params["name"])
        elif equation.primitive.name == "scan":
            names += _marked(equation.params["jaxpr"].jaxpr)
    return names


def with_probes(
    marked: ClosedJaxpr, arguments: Sequence[Array], probes: Probes
) -> tuple[list[Array], OrderedDict[Key, Array]]:
    """Evaluate a marked jaxpr, each name's probe added to its variable as soon as that has a value.

    Returns its results, and the named values; of a name in the body of a scan those of every pass, along a first axis.
    """
    jaxpr = marked.jaxpr
    known: dict[Any, Array] = {}
    # JAX sorts a plain dict by its keys, which names and passes of a loop do not allow.
    values: OrderedDict[Key, Array] = OrderedDict()
    names: dict[Any, list[Key]] = {}
    for equation in filter(_is_mark, jaxpr.eqns):
        (variable,) = equation.outvars if isinstance(equation.invars[0], Literal) else equation.invars
        names.setdefault(variable, []).append(equation.params["name"])

    def write(variable: Any, value: Array) -> None:
        for name in names.get(variable, ()):
            value = value + probes[name] if name in probes else value
        known[variable] = value

    def read(atom: Any) -> Array:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for variable, value in zip([*jaxpr.constvars, *jaxpr.invars], [*marked.consts, *arguments], strict=True):
        write(variable, value)
    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if _is_mark(equation):
            results = [jnp.asarray(inputs[0])]
            values[equation.params["name"]] = results[0]
        elif has_marks(equation):
            results, inner = _scan_with_probes(equation, inputs, probes)
            values |= inner
        else:
            results = apply(equation, inputs)
        for variable, value in zip(equation.outvars, results, strict=True):
            write(variable, value)
    return [read(atom) for atom in jaxpr.outvars], values


def _scan_with_probes(
    equation: JaxprEqn, inputs: Sequence[Array], probes: Probes
) -> tuple[list[Array], OrderedDict[Key, Array]]:
    """Run a scan again: probes come in with what it scans, values go out with what it stacks."""
    body, carried = equation.params["jaxpr"], equation.params["num_carry"]
    first = equation.params["num_consts"]
    consts, carry, scanned = inputs[:first], inputs[first : first + carried], inputs[first + carried :]
    own = OrderedDict((name, probes[name]) for name in _marked(body.jaxpr) if name in probes)

    def step(carry: list[Array], x: tuple[list[Array], Probes]) -> Any:
        results, values = with_probes(body, [*consts, *carry, *x[0]], x[1])
        return results[:carried], (results[carried:], values)

    last, (stacks, values) = jax.lax.scan(
        step, list(carry), (list(scanned), own), equation.params["length"], equation.params["reverse"]
    )
    return [*last, *stacks], values


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
