"""The report of a benchmark as one HTML page that needs no network, no script and no other file.

Importing this package imports neither matplotlib nor jinja2: each is imported when a page is made.
"""

from gradparity.errors import require_package
from gradparity_bench.results import Result


def bench_page(result: Result) -> str:
    """Return the HTML page of a result: verdicts in words, ratios, curves of a sweep, roofline, phases, memory."""
    require_package("matplotlib", "plots", "the page of a benchmark")
    from gradparity_bench.page.render import render

    return render(result)


__all__ = ["bench_page"]
