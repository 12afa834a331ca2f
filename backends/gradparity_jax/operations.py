"""What JAX does for each line: every equation of the jaxpr of ``value_and_grad`` is given to one line.

The marks tell which; then they are taken out, and what is left is the jaxpr as it is without them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import jax
from jax.extend.core import Literal

from gradparity.protocol import Array, Batch, Operation, Operations, Params, Tap
from gradparity.recording import forward_order
from gradparity_jax.jaxprs import FlatProgram, FlatVariable, equation_text, flatten, letters
from gradparity_jax.marks import MARK, Marked, Target, has_marks, marked_gradient, served

Reads: TypeAlias = Mapping[str, tuple[str, ...]]
"""Line -> what its value is computed from: other lines, parameters, ``batch.x`` and ``batch.y``."""


def operations(loss: Callable[[Params, Batch, Tap], Array], params: Params, batch: Batch) -> dict[str, Operations]:
    """Return the equations of every name that the forward pass taps and of every parameter, in forward order.

    An equation that several gradients need belongs to the one that is complete first, and one whose result nobody reads
    goes with the equation after it. Of a scan whose body has taps, one pass is told. A value that is another one under
    a second name has no equations of its own.
    """
    program = flatten(marked_gradient(loss, params, batch), has_marks)
    extras = {name: f"batch.extras['{name}']" for name in batch.extras}
    inputs = jax.tree.leaves(({name: name for name in params}, Batch("batch.x", "batch.y", extras)))
    given = dict(zip(program.inputs, inputs, strict=True))
    gradients = dict(zip(sorted(params), program.outputs[1:], strict=True))
    reads = _reads(program, given)
    order = forward_order(reads, params)
    targets = _targets(program, gradients, order)
    name = _namer(program, given, gradients)
    found: dict[tuple[str, bool], list[Operation]] = {
        (line, backward): [] for line in order for backward in (False, True)
    }
    own = [pair for pair in zip(program.equations, targets, strict=True) if pair[0].primitive != MARK]
    for position, (equation, target) in enumerate(own):
        operation = Operation(position, equation_text(equation, name), equation.scope)
        found[target.name, target.backward].append(operation)
    return {
        line: Operations(tuple(found[line, False]), tuple(found[line, True]), reads=reads.get(line, ()))
        for line in order
    }


def _reads(program: FlatProgram, given: Mapping[FlatVariable, str]) -> Reads:
    sources: dict[FlatVariable, dict[str, None]] = {variable: {name: None} for variable, name in given.items()}
    reads: dict[str, tuple[str, ...]] = {}
    for equation in program.equations:
        of_inputs = [sources.get(a, {}) for a in equation.inputs if isinstance(a, FlatVariable)]
        found = {name: None for names in of_inputs for name in names}
        if equation.primitive == MARK and not equation.params["backward"]:
            line = equation.params["name"]
            reads[line] = tuple(dict.fromkeys((*reads.get(line, ()), *found)))
            found = {line: None}
        sources.update((variable, found) for variable in equation.outputs)
    return reads


def _targets(
    program: FlatProgram, gradients: Mapping[str, FlatVariable | Literal], order: Sequence[str]
) -> list[Target]:
    def target(name: str, backward: bool) -> Target:
        place = order.index(name)
        return Target(backward, -place if backward else place, name)

    steps = [
        Marked(e.inputs, e.outputs, target(e.params["name"], e.params["backward"]) if e.primitive == MARK else None)
        for e in program.equations
    ]
    outputs: dict[FlatVariable, Target] = {}
    for name, variable in gradients.items():
        if isinstance(variable, FlatVariable):
            outputs[variable] = min(target(name, True), outputs.get(variable, target(name, True)))
    return served(steps, outputs)


def _namer(
    program: FlatProgram, given: Mapping[FlatVariable, str], gradients: Mapping[str, FlatVariable | Literal]
) -> Callable[[FlatVariable], str]:
    """Return what names a variable in the text: its line where it is a line's value or gradient, else a letter."""
    names = dict(given)
    for equation in program.equations:
        if equation.primitive == MARK:
            name = equation.params["name"]
            shown = f"d({name})" if equation.params["backward"] else name
            for variable in (*equation.outputs, *equation.inputs):
                if isinstance(variable, FlatVariable):
                    names.setdefault(variable, shown)
    for name, variable in gradients.items():
        if isinstance(variable, FlatVariable):
            names.setdefault(variable, f"d({name})")
    atoms = [*program.outputs, *(atom for equation in program.equations for atom in equation.inputs)]
    read = {atom for atom in atoms if isinstance(atom, FlatVariable)}
    letter = letters(taken=set(names.values()))
    for equation in program.equations:
        constants = (atom for atom in equation.inputs if isinstance(atom, FlatVariable))  # what no equation makes
        for variable in (*constants, *equation.outputs):
            if variable not in names:
                names[variable] = next(letter) if variable in read else "_"
    return names.__getitem__
