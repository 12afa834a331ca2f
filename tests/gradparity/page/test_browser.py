"""The page in a real browser. Its own policy forbids every request, and a breach is an error on the console."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.page import comparison_page

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
    "--dump-dom",
)


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
