"""docs/explain.md shows what the command prints."""

import re
from pathlib import Path

import pytest

from gradparity import __main__, registry

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "explain.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
PINNED = {"jax": "0.10.2", "torch": "2.13.0"}


def comparable(text: str) -> list[str]:
    """Lines without what may round differently elsewhere: the size of an error that is only rounding."""
    return [re.sub(r"error \d+e-1\d", "error", line.rstrip()) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def _where_the_page_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError, version

    monkeypatch.setenv("COLUMNS", "80")
    for name, pinned in PINNED.items():
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            found = "not installed"
        if found != pinned or registry.availability(name).backend is None:
            pytest.skip(f"the page shows {name} {pinned}, here it is {found}")


@pytest.mark.parametrize("wrong", [False, True])
def test_the_page_shows_what_is_printed(wrong: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = []
    if wrong:
        file = tmp_path / "my_model.py"
        file.write_text((DOCS / "examples" / "my_model.py").read_text().replace(' * (1 - c["a"] ** 2)', ""))
        arguments = [str(file)]
    assert __main__.run(["explain", *arguments]) == int(wrong)
    printed, shown = comparable(capsys.readouterr().out), comparable(BLOCKS[wrong])
    start = printed.index(shown[0])
    assert printed[start : start + len(shown)] == shown


def test_the_python_examples_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec("".join(examples), names)
    assert "gradparity-steps" in str(names["html"])
    assert names["line"].machine["torch"].receiver == "AddmmBackward0"  # type: ignore[attr-defined]
