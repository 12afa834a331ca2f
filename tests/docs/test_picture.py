"""The terminal in README shows what the command prints today."""

import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def words(svg: str) -> list[str]:
    """Return what the picture says, without the digits of rounding."""
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)).replace("&#160;", " ")
    return re.sub(r"[\de.+-]+e[-+]\d+", "", text).split()


def test_the_picture_is_what_is_printed() -> None:
    drawn = runpy.run_path(str(DOCS / "picture.py"))["draw"]()
    assert words(drawn) == words((DOCS / "_static" / "check.svg").read_text(encoding="utf-8"))
    assert "where 1 - h**2 belongs" in " ".join(words(drawn))
    assert "@font-face" not in drawn
