"""``gradparity explain``: the derivation line by line, beside what the machine does for the same line."""

from pathlib import Path
from typing import Annotated

import typer

from gradparity.report.cli import options
from gradparity.report.cli.options import DrawnExamples, DrawSeed, JsonFile, ModelOrFile, Open, Quiet, Set, Verbose


def explain_command(
    model: ModelOrFile = "softmax_regression",
    settings: Set = None,
    n: DrawnExamples = 11,
    seed: DrawSeed = 0,
    upstream: Annotated[
        bool,
        typer.Option(
            "--upstream",
            help="Walk one gradient back from the loss, a line for each Enter.",
            rich_help_panel=options.WRITTEN,
        ),
    ] = False,
    equations: Annotated[
        bool,
        typer.Option(
            "--equations", help="Print every equation of JAX, not only a few.", rich_help_panel=options.WRITTEN
        ),
    ] = False,
    json: JsonFile = None,
    html: Annotated[
        Path | None, options.output("--html", "Write one HTML page with the graph, and print where it is.")
    ] = None,
    opened: Open = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Show each line's rule, its numbers by hand and by machine, and the machine's own operations for it."""
    from gradparity.output import require_writable, write_json, write_text
    from gradparity.subjects.plain import is_plain, split
    from gradparity.subjects.specs import spec_of

    options.require_drawable(n, seed)
    options.require_page(html, opened)
    require_writable(json, html, inputs=(split(model)[0],))
    if is_plain(model):
        refused = "--set" if settings else "--upstream" if upstream else ""
        raise typer.Exit(_plain_code(model, refused, equations, seed, json, html, opened))
    from gradparity.drawing.terminal import telling

    with telling(f"reading {model}") as now:  # a user's file may import what takes seconds
        spec = spec_of(model, settings or [])
        now(f"following {spec.name} by hand and by machine, line by line")

        from gradparity.explain import explain as explained
        from gradparity.report.cli.derivation import print_explanation, walk

        explanation = explained(spec, n=n, seed=seed)
    if json is not None:
        write_json(json, explanation.to_dict())
    if html is not None:
        from gradparity.report.page.explain import render

        write_text(html, render(explanation))
    if upstream:
        walk(explanation, equations)
    elif html is None:
        print_explanation(explanation, equations)
    options.tell_page(html, opened)
    raise typer.Exit(0 if explanation.agrees else 1)


def _plain_code(
    file: str, refused: str, every: bool, seed: int, json: Path | None, html: Path | None, opened: bool
) -> int:
    """Show each of the user's own lines with the machines' operations below it; return the exit status."""
    from gradparity.errors import UsageError
    from gradparity.report.cli.check import shown
    from gradparity.subjects.plain import check_file

    if refused:
        raise UsageError(f"{refused} is for models, got plain code, {file}: leave it out")
    return shown(check_file(file, seed=seed, explain="all" if every else "few"), None, json, html, opened)
