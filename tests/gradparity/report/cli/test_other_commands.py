"""The program as a process: commands that other packages add by an entry point, and other encodings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.plugins import register

COMMAND = """
import typer

app = typer.Typer()

@app.command()
def hello() -> None:
    "Say hello."
    print("hello")
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with an installed distribution of two commands, one of which needs a package that is missing."""
    (tmp_path / "greeting.py").write_text(COMMAND)
    (tmp_path / "lost.py").write_text("import no_such_library")
    register(tmp_path, "plugins", "gradparity.commands", greet="greeting:app", lost="lost:app")
    return tmp_path


def _gradparity(plugins: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(plugins), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "gradparity", *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_registered_command_runs_and_one_that_cannot_be_loaded_is_left_out(plugins: Path) -> None:
    assert _gradparity(plugins, "greet").stdout == "hello\n"
    listed = _gradparity(plugins, "--help")
    assert listed.returncode == 0
    assert " greet " in listed.stdout
    assert " lost " not in listed.stdout
    refused = _gradparity(plugins, "lost")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


@pytest.mark.fault(kind="words")
def test_what_an_encoding_lacks_is_a_question_mark() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gradparity", "models"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "?" in done.stdout
