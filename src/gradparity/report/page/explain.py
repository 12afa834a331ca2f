"""The page of an explanation: the graph, each line forwards and then backwards, and the machines' own programs."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from markupsafe import Markup

from gradparity.drawing import words
from gradparity.drawing.page import template
from gradparity.explain import DIFFERENCES, HAND, Entries, ExplainedLine, Explanation, stepping
from gradparity.manifest import manifest
from gradparity.protocol import Operation


class Side(NamedTuple):
    """A line's value or its gradient."""

    key: str
    """What ties everything on the page that belongs to it together; the id of its own place."""
    label: str
    """The name as the programs print it: z, d(z)."""


class EquationCell(NamedTuple):
    """An operation of a program, and what it computes."""

    operation: Operation
    sides: tuple[Side, ...]


def render(explanation: Explanation) -> str:
    """Return the HTML page of an explanation: one file that needs no network."""
    values = {line.name: Side(f"value-{i}", line.name) for i, line in enumerate(explanation.lines)}
    gradients = {
        line.name: Side(f"gradient-{i}", f"d({line.name})") for i, line in enumerate(explanation.lines) if line.gradient
    }
    names = [*explanation.inputs, *values]
    return template("explain.html.jinja", "gradparity.report.page").render(
        explanation=explanation,
        headline=explanation.headline,
        agrees=explanation.agrees,
        accusations=list(_accusations(explanation)),
        facts=_facts(explanation),
        values=values,
        gradients=gradients,
        figure=Markup(stepping.fragment(explanation)),  # a template's own output
        figure_script=stepping.script(),
        reads={n: explanation.reads(n) for n in names},
        read_by={n: explanation.read_by(n) for n in names},
        programs={
            name: _program(explanation, name, values, gradients) for name in _telling(explanation, recorded=False)
        },
        recorded=_telling(explanation, recorded=True),
        differences=DIFFERENCES,
        digest=stepping.digest,
    )


def _accusations(explanation: Explanation) -> Iterator[str]:
    """Say of each value and each gradient that differs how much and, where that is known, why."""
    for line in explanation.lines:
        for label, found in ((line.name, line.value), (f"d({line.name})", line.gradient)):
            if found is not None and found.verdict == "different":
                yield f"{label} is {_verdict(found)}"


def _verdict(found: Entries) -> str:
    error = "" if found.error is None else f", relative error {words.scientific(found.error)}"
    return f"{found.verdict}{error}{f': {found.note}' if found.note else ''}"


def _facts(explanation: Explanation) -> dict[str, dict[str, str]]:
    return {
        "Numbers": {
            "examples": str(explanation.n),
            "seed": str(explanation.seed),
            "dtype": "float64",
            "sources": words.listing([HAND, *explanation.witnesses, DIFFERENCES]),
        },
        "Machine": manifest(),
    }


def _telling(explanation: Explanation, *, recorded: bool) -> list[str]:
    """Name the backends that tell their operations: those that record a graph, or those that keep a program."""
    telling = dict.fromkeys(name for line in explanation.lines for name in line.machine)
    return [name for name in telling if recorded == any(_receiver(line, name) for line in explanation.lines)]


def _receiver(line: ExplainedLine, backend: str) -> str:
    return line.machine[backend].receiver if backend in line.machine else ""


def _program(
    explanation: Explanation, backend: str, values: Mapping[str, Side], gradients: Mapping[str, Side]
) -> list[EquationCell]:
    """Return a backend's whole program in its own order, each operation once with all that it computes."""
    found: dict[Operation, list[Side]] = {}
    for line in explanation.lines:
        if backend in line.machine:
            does = line.machine[backend]
            for side, operations in ((values.get(line.name), does.forward), (gradients.get(line.name), does.backward)):
                for operation in operations:
                    found.setdefault(operation, []).extend([side] if side else [])
    in_order = sorted(found, key=lambda operation: operation.position)
    return [EquationCell(operation, tuple(found[operation])) for operation in in_order]
