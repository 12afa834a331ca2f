"""The pages' templates, and the filters that they share."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from gradparity.page import words
from gradparity.page.formulas import mathml
from gradparity.parity.report import describe


def template(name: str) -> Template:
    """Return a template of this package; whatever it is given is escaped."""
    environment = Environment(
        loader=PackageLoader("gradparity.page", "."),
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
    )
    return environment.get_template(name)
