"""``python -m gradparity_mutants``: plant every bug, try every checker, print the rates."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from gradparity.drawing.terminal import telling
from gradparity.drawing.text import markdown, text
from gradparity.errors import UsageError, unknown
from gradparity.output import require_writable, write_json
from gradparity_mutants import run, tables
from gradparity_mutants.specs import SPECS


def main(
    model: Annotated[str | None, typer.Option("--model", help="One model of the list [default: all].")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write every verdict as JSON.")] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Plant a bug of each kind at every line of every derivation, and count what each gradient checker catches."""
    if model is not None and model not in SPECS:
        raise unknown("model", model, SPECS)
    require_writable(json)
    # The arrays are small: a second thread would wait more than it computes.
    with threadpool_limits(1), telling() as progress:
        chosen = {title: spec for title, spec in SPECS.items() if model in (None, title)}
        tried = [t for title, spec in chosen.items() for t in run.try_mutants(title, spec, progress)]
        extremes = [] if model else list(run.try_regimes(progress))
    grids = [tables.per_model(tried), tables.side_by_side(tried)]
    grids += [tables.regimes(extremes)] if extremes else []
    grids += [tables.sentences(tried), tables.equivalents(tried)]
    for grid in grids:
        print(markdown(grid) if as_markdown else text(grid), end="\n\n")
    if json is not None:
        write_json(json, {"mutants": [asdict(t) for t in tried], "regimes": [asdict(t) for t in extremes]})
    # Every mutant is caught in both lanes and its line alone is named, and no right derivation is rejected.
    sound = all(t.localised and all(t.rejects[c] for c in run.GRADPARITY) for t in tried if t.line and not t.equivalent)
    quiet = not any(t.rejects[c] for t in tried if not t.line or t.equivalent for c in run.GRADPARITY)
    raise typer.Exit(0 if sound and quiet else 1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except UsageError as error:
        Console(stderr=True).print(f"gradparity_mutants: {error}", highlight=False)
        raise SystemExit(2) from None
