"""The page in a real browser. Its own policy forbids every request, and a breach is an error on the console."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.explain import explain
from gradparity.models import SoftmaxRegression
from gradparity.page import comparison_page
from gradparity.page.explain import render

MakeComparison = Callable[..., Comparison]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on PATH")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--window-size=1280,800",
    "--dump-dom",
)


@pytest.fixture(scope="module")
def explained() -> str:
    return render(explain(SoftmaxRegression(), n=4))


def _load(html: str, folder: Path) -> tuple[str, list[str]]:
    """Return the document as the browser built it, and what it wrote on the console."""
    page = folder / "page.html"
    page.write_text(html, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_loads_without_a_request_or_an_error(
    make_comparison: MakeComparison, images: Dataset, tmp_path: Path
) -> None:
    document, console = _load(comparison_page(make_comparison(images)), tmp_path)
    assert "agree on all" in document
    assert document.rstrip().endswith("</html>")
    assert console == []


def test_a_request_would_be_seen(make_comparison: MakeComparison, images: Dataset, tmp_path: Path) -> None:
    html = comparison_page(make_comparison(images)).replace("</main>", '<img src="missing.png" alt=""></main>')
    _, console = _load(html, tmp_path)
    assert "missing.png" in "".join(console)


def test_the_page_of_an_explanation_loads_without_a_request_or_an_error(explained: str, tmp_path: Path) -> None:
    document, console = _load(explained, tmp_path)
    assert "No line differs from the machine" in document
    assert document.rstrip().endswith("</html>")
    assert console == []


def test_a_script_of_another_hand_would_not_run_on_the_page_of_an_explanation(explained: str, tmp_path: Path) -> None:
    html = explained.replace("</main>", "<script>document.title = 'taken over'</script></main>")
    document, console = _load(html, tmp_path)
    assert "<title>taken over" not in document
    assert "Content Security Policy" in "".join(console)


FOCUS = """
const place = document.querySelector(SELECTOR);
place.focus();
const mark = (e) => getComputedStyle(e).getPropertyValue("--mark");
const marked = [...document.querySelectorAll("[data-of]")].filter((e) => mark(e) !== mark(document.body));
const card = [...document.querySelectorAll(".card")].filter((e) => getComputedStyle(e).visibility === "visible");
const program = document.querySelector("ol.program:not(.nodes)");
const last = [...program.querySelectorAll("[data-of~=gradient-2]")].at(-1);
document.title = JSON.stringify({
  marked: marked.map((e) => e.dataset.of),
  cards: card.map((e) => e.id),
  seen: last.offsetTop >= program.scrollTop && last.offsetTop < program.scrollTop + program.clientHeight,
});
"""


def _focused(html: str, selector: str, folder: Path) -> dict[str, Any]:
    """Return what is marked, which cards are shown, and whether d(logits) is seen, once this place has the focus."""
    watched = re.sub("<meta http-equiv[^>]*>", "", html)
    watched = watched.replace("</body>", f"<script>{FOCUS.replace('SELECTOR', json.dumps(selector))}</script></body>")
    document, console = _load(watched, folder)
    assert console == []
    title = re.findall("<title>(.*?)</title>", document)[0]
    return dict(json.loads(title))


def test_focus_on_a_line_marks_and_shows_its_equations_and_its_node(explained: str, tmp_path: Path) -> None:
    found = _focused(explained, "#gradient-2 summary", tmp_path)
    equations = len(re.findall(r'<li id="equation[^>]* data-of="gradient-2"', explained))
    assert equations > 10
    assert sorted(set(found["marked"])) == ["gradient-2", "value-2 gradient-2"]
    assert found["marked"].count("gradient-2") == equations + len(["its place", "its node of torch"])
    assert found["cards"] == []
    assert found["seen"]


def test_focus_on_a_node_of_the_graph_shows_its_numbers(explained: str, tmp_path: Path) -> None:
    found = _focused(explained, '.graph [href="#value-2"]', tmp_path)
    assert found["cards"] == ["card-value-2"]
    assert {"value-2", "gradient-2", "value-2 gradient-2"} == set(found["marked"])
