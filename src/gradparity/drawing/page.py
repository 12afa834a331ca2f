"""A table as HTML: alone, as Jupyter shows it, and on a page that needs no network, no script and no other file."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from gradparity.drawing import words
from gradparity.drawing.formulas import mathml
from gradparity.drawing.table import Entry, Table
from gradparity.manifest import manifest

PACKAGE = "gradparity.drawing"


class Section(NamedTuple):
    """A table on a page, under a title, and the figures that belong to it."""

    id: str
    title: str
    table: Table
    figures: tuple[tuple[Markup, str], ...] = ()
    """Drawings, each with what it shows."""


def fragment(table: Table) -> str:
    """Return a table with its sentences as HTML that can stand in any page."""
    return template("fragment.html.jinja").render(table=table)


def page(
    command: str,
    heading: str,
    sections: Sequence[Section],
    *,
    facts: Mapping[str, Mapping[str, str]],
    summary: str = "",
    headline: str = "",
) -> str:
    """Return a page of sections that says at its top what their tables come to, and on which machine.

    ``summary`` is what was done, for where nothing is wrong; the headline is the first table's where none is given.
    """
    tables = [section.table for section in sections]
    return template("page.html.jinja").render(
        command=command,
        heading=heading,
        sections=sections,
        headline=headline or tables[0].headline,
        agrees=all(table.agrees is not False for table in tables),
        accusations=[finding for table in tables for finding in table.findings],
        summary=summary,
        facts={**facts, "Machine": manifest()},
    )


@cache
def template(name: str, package: str = PACKAGE, **filters: Callable[..., Any]) -> Template:
    """Return a template of a package, which may include those of this one; whatever it is given is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(where, ".") for where in dict.fromkeys((package, PACKAGE))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        mathml=mathml,
        listing=words.listing,
        scientific=words.scientific,
        entry=words.entry,
        shape=words.shape,
        long=_long,
        **filters,
    )
    return environment.get_template(name)


def _long(entry: Entry) -> str:
    return entry if isinstance(entry, str) else entry.long
