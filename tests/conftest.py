"""Tests assert what is right, never how long it takes: a busy machine must not fail them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
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


@pytest.fixture
def gradparity(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return its exit status, standard output and standard error."""
    from gradparity.__main__ import run  # here, for shapes are checked only in what is imported later than this file

    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: object) -> tuple[int, str, str]:
        return run([str(a) for a in arguments]), *capsys.readouterr()

    return command


@pytest.fixture
def in_browser(tmp_path: Path) -> Callable[[str], tuple[str, list[str]]]:
    """Load a page in a real browser; return the document as it was built, and what it wrote on the console.

    A page's own policy forbids every request, and a breach is an error on the console.
    """
    if not CHROMIUM:
        pytest.skip("no chromium on PATH")

    def load(html: str) -> tuple[str, list[str]]:
        page = tmp_path / "page.html"
        page.write_text(html, encoding="utf-8")
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return load
