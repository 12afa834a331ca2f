"""The pages' templates, and the filters that they share."""

from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from gradparity.parity.report import describe
from gradparity.report.page import words
from gradparity.report.page.formulas import mathml

PACKAGE = "gradparity.report.page"


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
        describe=describe,
        **filters,
    )
    return environment.get_template(name)
