"""An explanation in a terminal of 80 columns: line by line forwards, then backwards."""

import sys
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gradparity.drawing import words
from gradparity.drawing.formulas import unicode
from gradparity.drawing.terminal import console, said
from gradparity.explain import DIFFERENCES, HAND, Entries, ExplainedLine, Explanation
from gradparity.protocol import Operation, Operations

FOLDED = 3
"""Equations of a line that are all shown; of more, only the first and the last, unless all are asked for."""
INDENT = 2
HANGING = 8
"""Columns by which what continues an entry is set in."""


def print_explanation(explanation: Explanation, all_equations: bool) -> None:
    """Print every line with its value in the order of the forward pass, then with its gradient backwards."""
    _print_title(explanation)
    console.print("\n[bold]FORWARD[/bold]: the value of each line")
    for line in explanation.lines:
        console.print(*_value(explanation, line, all_equations), sep="\n")
    console.print("\n[bold]BACKWARD[/bold]: the gradient of the loss with respect to each line")
    for line in explanation.backwards:
        console.print(*_gradient(explanation, line, all_equations), sep="\n")
    _print_end(explanation)


def walk(explanation: Explanation, all_equations: bool) -> None:
    """Print one gradient's way back from the loss to the first line; on a terminal, a step for each Enter."""
    steps = explanation.way_back()
    _print_title(explanation)
    console.print(said(f"\nThe gradient of the loss walks back to {steps[-1].name}, in {len(steps)} steps."))
    for line in steps:
        console.print(*_gradient(explanation, line, all_equations), sep="\n")
        if line is not steps[-1] and not _wanted():
            return
    _print_end(explanation)


def _wanted() -> bool:
    """Wait for Enter on a terminal; whether to go on."""
    if not (console.is_interactive and sys.stdin.isatty()):
        return True
    try:
        return console.input("[dim]Enter: next line, q: stop [/dim]").strip().lower() != "q"
    except EOFError:
        return False


def _print_title(explanation: Explanation) -> None:
    e = explanation
    sources = ", ".join((HAND, *e.witnesses, DIFFERENCES))
    console.print(said(f"{e.model}: {e.n} examples, seed {e.seed}, float64; {sources} of the loss"))
    for remark in e.remarks:
        console.print(said(remark, style="dim"), soft_wrap=True)  # a command in it is copied as it is typed


def _print_end(explanation: Explanation) -> None:
    console.print(Rule(style="dim"))
    cross = () if explanation.agrees else (("✗", "bold red"), " ")
    console.print(Text.assemble(*cross, said(explanation.headline)))


def _value(explanation: Explanation, line: ExplainedLine, all_equations: bool) -> Iterator[RenderableType]:
    reads = explanation.reads(line.name)
    about = "parameter" if line.parameter else f"reads {', '.join(reads)}" if reads else ""
    yield _heading(line.name, line.value, about)
    yield from _rule(line.forward, "", line.forward_code)
    if not line.parameter:
        yield from _numbers(line.value)
        for backend, does in line.machine.items():
            if does.forward:
                yield from _operations(backend, does.forward, all_equations)


def _gradient(explanation: Explanation, line: ExplainedLine, all_equations: bool) -> Iterator[RenderableType]:
    if line.gradient is None:
        return
    upstream = [f"d({name})" for name in explanation.read_by(line.name)]
    yield _heading(f"d({line.name})", line.gradient, f"from {', '.join(upstream)}" if upstream else "")
    yield from _rule(line.backward, line.why, line.backward_code)
    yield from _numbers(line.gradient)
    for backend, does in line.machine.items():
        if does.receiver:
            yield _entry(backend, _nodes(does))
        elif does.backward:
            yield from _operations(backend, does.backward, all_equations)
        else:
            yield _entry(backend, "no equation of its own")


def _heading(name: str, numbers: Entries, about: str) -> Rule:
    title = Text.assemble(
        said(name, "bold"), f"  {words.shape(numbers.shape)}", said(f"  {about}" if about else "", "dim")
    )
    return Rule(title, align="left", style="dim")


def _rule(formula: str, why: str, code: Sequence[str]) -> Iterator[RenderableType]:
    if formula:
        yield _indented(said(unicode(formula), style="bold"))
    if why:
        yield _indented(said(why))
    for statement in code:
        yield _indented(said(statement, style="cyan"))


def _numbers(numbers: Entries) -> Iterator[RenderableType]:
    """A row for each source and a column for each place, or one line of a scalar's; then the verdict."""
    shown = [column for column in numbers.columns if any(entry is not None for entry in column.entries)]
    if numbers.shape == ():
        yield _indented(said("   ".join(f"{column.source} {_number(column.entries[0])}" for column in shown)))
    else:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("")
        for place in numbers.places:
            table.add_column(str(list(place)), justify="right")
        for column in shown:
            table.add_row(said(column.source), *map(_number, column.entries))
        yield _indented(table)
    style = {"different": "bold red", "kink convention": "yellow"}.get(numbers.verdict, "green")
    error = "" if numbers.error is None else f", relative error {numbers.error:.0e}" if numbers.error else ", error 0"
    note = f": {numbers.note}" if numbers.note else ""
    yield _indented(Text.assemble((numbers.verdict, style), error, said(note)))


def _number(entry: float | None) -> str:
    return "—" if entry is None else f"{entry:.6g}"


def _operations(backend: str, operations: Sequence[Operation], all_of_them: bool) -> Iterator[RenderableType]:
    """Say how many equations there are, and show the first and the last one, or all."""
    yield _entry(backend, f"{len(operations)} equation{'s' if len(operations) > 1 else ''}")
    folded = not all_of_them and len(operations) > FOLDED
    for operation in operations[:1] if folded else operations:
        yield _indented(said(operation.text, style="dim"), HANGING)
    if folded:
        yield _indented(said(f"… {len(operations) - 2} more: --equations", style="dim"), HANGING)
        yield _indented(said(operations[-1].text, style="dim"), HANGING)


def _nodes(does: Operations) -> str:
    found = f"{does.receiver} receives it"
    if does.backward:
        found = f"{', '.join(operation.text for operation in does.backward)} → {found}"
    return found + (f", hands on to {', '.join(does.passes_to)}" if does.passes_to else "")


def _entry(backend: str, text: str) -> RenderableType:
    return _indented(Text.assemble(said(f"{backend}  ", "bold"), said(text)))


def _indented(content: RenderableType, columns: int = INDENT) -> RenderableType:
    return Padding(content, (0, 0, 0, columns), expand=False)
