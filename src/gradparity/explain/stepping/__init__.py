"""The graph that one steps through: both passes of an explanation, as HTML that can stand in any page.

Everything that a step says is in the HTML, so that it is read without JavaScript, by a screen reader and by a test. The
script draws the graph (laid out by dagre, bundled by ``make dagre``) and shows one step at a time.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from gradparity.drawing import words
from gradparity.drawing.page import template
from gradparity.explain.followed import Followed, Operand
from gradparity.output import plain

if TYPE_CHECKING:
    from gradparity.explain.explanation import ExplainedLine, Explanation

SCRIPTS = "dagre.min.js", "graph.js", "weights.js", "steps.js"
FEW = 4
"""Equations of a machine that are shown; the others are folded."""
SPACIOUS = 24
"""Boxes that are shown at once; where there are more, groups of lines start closed."""
LEAST = 3
"""Lines that make a group."""


class Step(NamedTuple):
    """One line in one of the passes."""

    line: "ExplainedLine"
    backward: bool
    key: str
    say: str
    """What a screen reader is told."""
    equation: str = ""
    """How the numbers that meet make the one that leaves, where simple arithmetic does."""


def fragment(explanation: "Explanation") -> str:
    """Return an explanation's figure: one element with its own style, data and script, that asks for nothing else."""
    steps = [*_forward(explanation), *_backward(explanation)]
    data = _data(explanation, steps)
    rows = {node["name"]: row for row, node in enumerate(data["nodes"])}
    written = json.dumps(plain(data), ensure_ascii=False).replace("<", "\\u003c")
    return template("figure.html.jinja", "gradparity.explain.stepping", index=_index).render(
        explanation=explanation,
        id=f"steps-{hashlib.sha256(written.encode()).hexdigest()[:8]}",
        steps=steps,
        numbers={step.line.name: step.key for step in steps if step.backward},
        rows=rows,
        arcs=[(rows[source], rows[target]) for source, target in data["edges"]],
        few=FEW,
        data=Markup(written),  # JSON in which no tag can begin
        script=Markup(script()),  # our own files
    )


@cache
def script() -> str:
    """Return the script that is the same in every figure."""
    here = resources.files("gradparity.explain.stepping")
    source = "\n".join((here / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{source}\n}})();'


def digest(source: str) -> str:
    """Return what a page's policy knows a script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _forward(explanation: "Explanation") -> Iterator[Step]:
    lines = [line for line in explanation.lines if not line.parameter]
    for i, line in enumerate(lines):
        say = f"Forward {i + 1} of {len(lines)}: {line.name}"
        if line.followed:
            made = f", made of {words.listing(explanation.reads(line.name))}" if explanation.reads(line.name) else ""
            say += f"{_index(line.followed.place)} is {words.entry(line.followed.value)}{made}"
        yield Step(line, False, f"forward-{i}", f"{say}.", _equation(line.followed) if line.followed else "")


def _backward(explanation: "Explanation") -> Iterator[Step]:
    for i, line in enumerate(explanation.backwards):
        say = f"Backward {i + 1} of {len(explanation.backwards)}: d({line.name})"
        if line.followed and line.followed.gradient is not None:
            say += f"{_index(line.followed.place)} is {words.entry(line.followed.gradient)}"
            readers = [f"d({reader})" for reader in line.followed.carried]
            say += f", from {words.listing(readers)}" if readers else ""
        yield Step(line, True, f"backward-{i}", f"{say}.")


def _equation(entry: Followed) -> str:
    """Write the sum or product that makes the entry, as far as every number of it is shown."""
    if any(operand.size > len(operand.entries) for operand in entry.operands):
        return ""
    if entry.rule in ("sum", "product"):
        sign = " + " if entry.rule == "sum" else " × "
        return sign.join(_factor(operand.entries[0]) for operand in entry.operands)
    if entry.rule != "sum of products":
        return ""
    pairs: dict[int, list[Operand]] = {}
    for operand in entry.operands:
        pairs.setdefault(operand.size, []).append(operand)
    single = [_factor(operand.entries[0]) for operand in pairs.pop(1, [])]
    products = [
        f"{_factor(a)} × {_factor(b)}"
        for left, right in pairs.values()
        for a, b in zip(left.entries, right.entries, strict=True)
    ]
    return " + ".join([*products, *single])


def _factor(number: float) -> str:
    return f"({words.entry(number)})" if number < 0 else words.entry(number)


def _index(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]" if place else ""


def _data(explanation: "Explanation", steps: list[Step]) -> dict[str, Any]:
    """Return what the script draws from."""
    given = [name for name in explanation.inputs if explanation.read_by(name)]
    groups = _groups([line.name for line in explanation.lines])
    nodes = [
        *(_given(name, explanation.inputs[name]) for name in given),
        *(_node(line) for line in explanation.lines),
    ]
    return {
        "nodes": [{"groups": groups.get(node["name"], ()), **node} for node in nodes],
        "edges": [(edge.source, edge.target) for edge in explanation.edges],
        "steps": [
            {"node": step.line.name, "back": step.backward, "flow": list(_flow(explanation, step).items())}
            for step in steps
        ],
        "open": [] if len(nodes) > SPACIOUS else sorted({group for path in groups.values() for group in path}),
        "weights": [{"label": weight.name + _index(weight.place), **asdict(weight)} for weight in explanation.weights],
    }


def _given(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "kind": "input", "shape": words.shape(shape), "value": "", "gradient": "", "wrong": False}


def _node(line: "ExplainedLine") -> dict[str, Any]:
    entry = line.followed
    return {
        "name": line.name,
        "kind": "parameter" if line.parameter else "value",
        "shape": words.shape(line.value.shape),
        "value": words.entry(entry.value) if entry else "",
        "gradient": f"d {words.entry(entry.gradient)}" if entry and entry.gradient is not None else "",
        "wrong": "different" in (line.value.verdict, line.gradient.verdict if line.gradient else ""),
    }


def _flow(explanation: "Explanation", step: Step) -> Mapping[str, str]:
    """Return what meets in a step: name -> what the arrow carries."""
    if not step.backward:
        return dict.fromkeys(explanation.reads(step.line.name), "")
    carried = step.line.followed.carried if step.line.followed else {}
    return {name: words.entry(number) for name, number in carried.items()} or dict.fromkeys(
        explanation.read_by(step.line.name), ""
    )


def _groups(names: list[str]) -> dict[str, tuple[str, ...]]:
    """Return the boxes that a name stands in, the outermost first: of "block1.norm1.out" block1 and block1.norm1."""
    prefixes = {name: [".".join(name.split(".")[:k]) for k in range(1, name.count(".") + 1)] for name in names}
    counts: dict[str, int] = {}
    for found in prefixes.values():
        for prefix in found:
            counts[prefix] = counts.get(prefix, 0) + 1
    return {name: tuple(p for p in found if counts[p] >= LEAST) for name, found in prefixes.items()}
