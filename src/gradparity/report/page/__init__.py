"""The report of a comparison, or of a check, as one HTML page that needs no network, no script and no other file.

    >>> from gradparity.report.page import check_page, comparison_page
    >>> html = check_page(report)
    >>> html = comparison_page(comparison)

Importing this package imports neither matplotlib nor jinja2 nor latex2mathml: each is imported when a page is made.
"""

from collections.abc import Sequence

from gradparity.comparison import Comparison
from gradparity.errors import require_package
from gradparity.parity import Report
from gradparity.parity.training_parity import TrainingParity
from gradparity.protocol import Line


def comparison_page(comparison: Comparison) -> str:
    """Return the HTML page of a comparison: verdict, lines, derivation, training, weights, gradients and timing."""
    require_package("matplotlib", "plots", "the page of a comparison")
    from gradparity.report.page.render import render_comparison

    return render_comparison(comparison)


def check_page(report: Report, training: TrainingParity | None = None, derivation: Sequence[Line] = ()) -> str:
    """Return the HTML page of a check: verdict, findings, lines, remarks, machine; and training, where it was asked.

    With the spec's ``derivation``, a wrong line has its formula beside it.
    """
    require_package("matplotlib", "plots", "the page of a check")
    from gradparity.report.page.render import render_check

    return render_check(report, training, derivation)


__all__ = ["check_page", "comparison_page"]
