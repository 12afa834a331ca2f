"""``gradparity mutate my_kernel.py:Rule -- pytest tests/``. What computes is imported when it runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gradparity.errors import UsageError
from gradparity.report.cli.options import JsonFile

if TYPE_CHECKING:
    from gradparity.drawing import Table
    from gradparity_mutants.suite.edits import RuleSource
    from gradparity_mutants.suite.trial import TriedMistake


app = typer.Typer(add_completion=False)


@app.command(epilog="Example:  gradparity mutate my_kernel.py:Rule -- pytest tests/")
def mutate_command(
    rule: Annotated[
        str, typer.Argument(metavar="FILE:RULE", help="A file and a class with a backward, a method or a function.")
    ],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND", help="What runs the suite, after --.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Plant known mistakes in your backward rule, one at a time, and see which ones your own tests let pass.

    No file of yours is changed: the mistake is made as the file is imported, in the process of your suite.
    """
    from dataclasses import asdict

    from gradparity.drawing.terminal import Shown, console, telling
    from gradparity.output import plain, require_writable, write_json
    from gradparity_mutants.suite.edits import find
    from gradparity_mutants.suite.trial import try_all

    found = find(rule)
    if not command:
        raise UsageError(f"there is no command to run your tests with: write  gradparity mutate {rule} -- pytest")
    require_writable(json, inputs=(found.file,))
    with telling() as progress:
        tried = list(try_all(found, command, progress))
    console.print(Shown(_table(found, command, tried)))
    if json is not None:
        mutants = [asdict(each) | {"relative_error": each.relative} for each in tried]
        write_json(json, plain({"rule": rule, "command": command, "mutants": mutants}))
    raise typer.Exit(1 if any(each.verdict in ("survives", "never runs") for each in tried) else 0)


def _table(rule: "RuleSource", command: Sequence[str], tried: Sequence["TriedMistake"]) -> "Table":
    """Show what the suite did not catch, line by line, and what would have."""
    from gradparity.drawing import TableCell, TableColumn, TableNumber, table_of

    counts = Counter(each.verdict for each in tried)
    passed = [each for each in tried if each.verdict in ("survives", "never runs")]
    columns = ("line", TableColumn("mistake", "word"), TableColumn("error"), TableColumn("", "word"))
    lines = {each.line: [other for other in passed if other.line == each.line] for each in passed}
    table = table_of(
        f"{rule.file}:{rule.name}, {len(tried)} mistakes, one at a time; the tests: {' '.join(command)}",
        columns,
        [
            [
                (
                    f"{line}  {each.code}" if each is own[0] else "",
                    each.what,
                    TableCell(("–" if each.relative is None else TableNumber(each.relative, "error"),)),
                    TableCell((each.verdict,), "✗"),
                )
                for each in own
            ]
            for line, own in lines.items()
        ],
        caption="error: the largest relative error of a gradient that the tests asked for" if passed else "",
        remarks=_remarks(tried, counts),
    )
    missed = f"Not caught: {len(passed)}; caught: {counts['caught']}." if passed else "All of them are caught."
    return replace(table, headline=missed)


def _remarks(tried: Sequence["TriedMistake"], counts: Mapping[Any, int]) -> Iterator[str]:
    from gradparity_mutants.suite.trial import tolerances

    if counts["changes nothing"]:
        lines = dict.fromkeys(str(each.line) for each in tried if each.verdict == "changes nothing")
        yield (
            f"{counts['changes nothing']} change no gradient that the tests ask for (lines {', '.join(lines)}): right "
            "by another way, or on numbers that hide them"
        )
    if counts["never runs"]:
        yield "where a mistake never runs, the tests stop before they come to it"
    loosest = tolerances(tried)
    if loosest:
        rtol, atol = loosest
        yield f"the loosest tolerances that would catch all that change a gradient: rtol={rtol:g}, atol={atol:g}"
