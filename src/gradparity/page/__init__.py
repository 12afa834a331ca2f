"""The report of a comparison as one HTML page that needs no network, no script and no other file.

    >>> from gradparity.page import comparison_page
    >>> html = comparison_page(comparison)

Importing this package imports neither matplotlib nor jinja2 nor latex2mathml: each is imported when a page is made.
"""

from gradparity.comparison import Comparison


def comparison_page(comparison: Comparison) -> str:
    """Return the HTML page of a comparison: verdict, lines, derivation, training, weights, gradients and timing."""
    from gradparity.page.render import render

    return render(comparison)


__all__ = ["comparison_page"]
