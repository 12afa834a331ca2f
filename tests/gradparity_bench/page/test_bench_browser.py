"""The page in a real browser. Its own policy forbids every request, and a breach is an error on the console."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gradparity_bench.page import bench_page
from gradparity_bench.results import Measurement, Result

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


def test_the_page_loads_without_a_request_or_an_error(
    make_measurement: Callable[..., Measurement], tmp_path: Path
) -> None:
    steps = {"numpy": 1e-3, "torch-manual": 1e-3, "torch": 2e-3}
    found = tuple(make_measurement(steps, batch_size=n) for n in (8, 64, 512))
    page = tmp_path / "page.html"
    page.write_text(bench_page(Result({"CPU": "a CPU"}, 0, found)), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "costs 2× its own hand derivation" in done.stdout
    assert done.stdout.rstrip().endswith("</html>")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
