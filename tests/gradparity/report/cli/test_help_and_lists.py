"""What a newcomer types first: help, lists, and the options that every command has."""

from pathlib import Path

import pytest
from rich.console import Console

from gradparity import registry
from gradparity.data import DATASETS
from gradparity.drawing import terminal
from gradparity.models import names

COMMANDS = ["compare", "check", "explain", "train", "trace", "models", "backends", "data", "exercise", "bench"]


def test_help_names_every_command(gradparity) -> None:  # type: ignore[no-untyped-def]
    status, out, err = gradparity("--help")
    assert (status, err) == (0, "")
    assert all(command in out for command in COMMANDS)
    assert "Example:  gradparity check my_model.py" in out


@pytest.mark.parametrize("command", [*COMMANDS, "exercise start"])
def test_every_help_has_an_example(gradparity, command: str) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = gradparity(*command.split(), "--help")
    assert f"Example:  gradparity {command}" in " ".join(out.split()).replace("Example: ", "Example:  ")


@pytest.mark.parametrize("command", ["compare", "check", "explain", "train", "trace", "bench"])
def test_every_option_stands_in_a_group(gradparity, command: str) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = gradparity(command, "--help")
    ungrouped = out.partition("─ Options ─")[2].partition("╭")[0]
    assert [word for word in ungrouped.split() if word.startswith("--")] == ["--help"]
    assert "─ What is computed ─" in out
    assert "─ What is written ─" in out


@pytest.mark.parametrize("command", ["models", "backends", "data"])
def test_lists_fit_a_terminal_of_80_columns(gradparity, command: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = gradparity(command)
    assert (status, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines() if not line.startswith("to "))


@pytest.mark.parametrize(
    ("command", "listed"), [("models", names()), ("backends", registry.names()), ("data", DATASETS)]
)
def test_in_40_columns_a_list_loses_no_name(gradparity, monkeypatch, command: str, listed) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(terminal, "console", Console(width=40, highlight=False))
    _, out, _ = gradparity(command)
    lines = [line.rstrip() for line in out.splitlines()]
    assert set(listed) <= set(lines)
    assert all(len(line) <= 40 for line in lines if not line.startswith("to "))
    assert "…" not in out.replace(", …", "")


def test_backends_names_the_command_that_installs_what_is_missing(gradparity, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    absent = registry.Availability("jax", "gradparity", None, "'jax' is not installed", "pip install 'gradparity[jax]'")
    monkeypatch.setattr(registry, "listed", lambda _: absent)
    monkeypatch.setattr(registry, "names", lambda: ["jax"])
    _, out, _ = gradparity("backends")
    assert "no: 'jax' is not installed" in out
    assert "to install what is missing:  pip install 'gradparity[jax]'" in out


def test_quiet_leaves_the_exit_status(gradparity) -> None:  # type: ignore[no-untyped-def]
    assert gradparity("train", "--epochs", 1, "-q") == (0, "", "")
    assert gradparity("train", "--epochs", 0, "-q")[::2] == (
        2,
        "gradparity: --epochs must be a whole number of at least 1, got 0\n",
    )


def test_verbose_tells_where_a_refusal_comes_from(gradparity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.py"
    file.write_text("input_shape = 1\n1 / 0\ndef forward(p, batch, c): ...\n\ndef backward(p, batch, c, d): ...\n")
    status, _, err = gradparity("check", file, "-v")
    assert status == 2
    assert err.startswith("Traceback")
    assert f'File "{file}", line 2' in err
    assert gradparity("check", file)[2] == f"gradparity: {err.rpartition('gradparity: ')[2]}"


def test_open_shows_the_page_that_is_written(gradparity, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = tmp_path / "out.html"
    status, out, _ = gradparity("explain", "--html", page, "--open")
    assert (status, opened) == (0, [page.as_uri()])
    assert out.endswith(f"The page is {page}\nNo browser was found: open it yourself.\n")


def test_open_is_refused_where_no_page_is_written(gradparity) -> None:  # type: ignore[no-untyped-def]
    for command in ("explain", "check", "compare", "bench"):
        refused = "gradparity: --open shows a page that is written to a file: name one, or leave it out\n"
        assert gradparity(command, "--open")[::2] == (2, refused)
