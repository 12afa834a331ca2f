"""The page in a real browser. Its own policy forbids every request, and a breach is an error on the console."""

from collections.abc import Callable

from gradparity_bench.page import bench_page
from gradparity_bench.results import Measurement, Result


def test_the_page_loads_without_a_request_or_an_error(
    make_measurement: Callable[..., Measurement], in_browser: Callable[[str], tuple[str, list[str]]]
) -> None:
    steps = {"numpy": 1e-3, "torch-manual": 1e-3, "torch": 2e-3}
    found = tuple(make_measurement(steps, batch_size=n) for n in (8, 64, 512))
    document, console = in_browser(bench_page(Result({"CPU": "a CPU"}, 0, found)))
    assert "costs 2× its own hand derivation" in document
    assert document.rstrip().endswith("</html>")
    assert console == []
