"""Jaxprs read as plain lists of equations: applied one by one, with their calls opened, and as text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from gradparity.protocol import Array

CALLS = ("jit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "checkpoint")
"""Primitives that do what a jaxpr among their parameters says, and no more. A loop or a branch is not one of them."""
Opened: TypeAlias = Callable[[JaxprEqn], bool]
"""Whether an equation is opened like a call: of a loop, one pass is then seen."""
LONGEST = 40
"""Characters of a parameter that is shown; a longer one is left out."""


@dataclass(frozen=True, eq=False)
class FlatVariable:
    """What one equation of a flat program computes, or what the program is given."""

    aval: Any
    """Its shape and dtype, as JAX's abstract value."""


Atom: TypeAlias = FlatVariable | Literal


class Equation(NamedTuple):
    """One equation of a flat program."""

    primitive: str
    inputs: tuple[Atom, ...]
    outputs: tuple[FlatVariable, ...]
    params: Mapping[str, Any]
    scope: str
    """Its name stack: ``jvp(logits)``, ``transpose(jvp(loss))``."""


class FlatProgram(NamedTuple):
    """A jaxpr with every call opened: only primitives that compute are left, in order."""

    inputs: tuple[FlatVariable, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]


def apply(equation: JaxprEqn, inputs: Sequence[Array]) -> list[Array]:
    """Apply one equation to arrays."""
    static = equation.primitive.get_bind_params(equation.params)  # type: ignore[no-untyped-call]
    result = equation.primitive.bind(*inputs, **static)  # type: ignore[no-untyped-call]
    return list(result) if equation.primitive.multiple_results else [result]


def flatten(closed: ClosedJaxpr, opened: Opened) -> FlatProgram:
    """Open every call of a jaxpr, and the calls in these; and what is ``opened`` besides."""
    jaxpr = closed.jaxpr
    inputs = tuple(FlatVariable(v.aval) for v in jaxpr.invars)
    equations: list[Equation] = []
    outputs = _open(jaxpr, inputs, "", equations, opened)
    return FlatProgram(inputs, tuple(equations), outputs)


def _open(
    jaxpr: Jaxpr, inputs: Sequence[Atom], scope: str, equations: list[Equation], opened: Opened
) -> tuple[Atom, ...]:
    """Append the equations of a jaxpr that is called with these inputs, and return its outputs."""
    # A jaxpr that is called twice holds the same variables twice: each call has its own here.
    known: dict[Any, Atom] = {v: FlatVariable(v.aval) for v in jaxpr.constvars}
    known.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Atom:
        return atom if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        own = "/".join(filter(None, (scope, str(equation.source_info.name_stack))))
        arguments = tuple(map(read, equation.invars))
        outputs: tuple[Atom, ...]
        if equation.primitive.name in CALLS or opened(equation):
            outputs = _open(_called(equation), arguments, own, equations, opened)
        else:
            outputs = made = tuple(FlatVariable(v.aval) for v in equation.outvars)
            equations.append(Equation(equation.primitive.name, arguments, made, equation.params, own))
        known.update(zip(equation.outvars, outputs, strict=True))
    return tuple(map(read, jaxpr.outvars))


def _called(equation: JaxprEqn) -> Jaxpr:
    called: Jaxpr | ClosedJaxpr = equation.params["jaxpr" if "jaxpr" in equation.params else "call_jaxpr"]
    return called.jaxpr if isinstance(called, ClosedJaxpr) else called


def equation_text(equation: Equation, name: Callable[[FlatVariable], str]) -> str:
    """Return an equation in one line, nearly as JAX prints it; jaxprs and long parameters are left out."""
    outputs = " ".join(f"{name(v)}:{v.aval.str_short(short_dtypes=True)}" for v in equation.outputs)
    shown = [f"{key}={short}" for key, value in equation.params.items() if (short := _short(value))]
    inputs = (_number(a) if isinstance(a, Literal) else name(a) for a in equation.inputs)
    return " ".join([outputs, "=", equation.primitive + (f"[{' '.join(shown)}]" if shown else ""), *inputs])


def _number(literal: Literal) -> str:
    return str(np.asarray(literal.val).tolist())


def _short(value: Any) -> str:
    """Return a parameter as text; nothing for one that is not set, is itself a program, or is long."""
    if value is None or value is False or value == () or isinstance(value, Jaxpr | ClosedJaxpr) or callable(value):
        return ""
    written = str(value)
    return written if len(written) <= LONGEST else "…"


def letters(taken: set[str]) -> Iterator[str]:
    """Yield a, b, …, z, ba, bb, … as JAX names variables, without the names that are taken."""
    for number in count():
        letter, rest = "", number
        while rest or not letter:
            rest, digit = divmod(rest, 26)
            letter = chr(ord("a") + digit) + letter
        if letter not in taken:
            yield letter
