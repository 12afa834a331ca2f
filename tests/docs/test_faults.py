import pytest
from tests.faults import MARK, PAGE, ROOT, page


def test_the_page_of_faults_counts_the_tests_that_there_are(request: pytest.FixtureRequest) -> None:
    collected = {item.path for item in request.session.items}
    marked = {path for path in (ROOT / "tests").rglob("test_*.py") if f"pytest.mark.{MARK}(" in path.read_text()}
    chosen = request.config.option
    if chosen.keyword or chosen.markexpr != "not slow" or not marked <= collected:
        pytest.skip("only where every test is collected, as make test does")
    assert page(request.session.items) == PAGE.read_text(encoding="utf-8"), "make faults writes it anew"
