import re
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure

from gradparity.drawing.svg import COLORS, inline_svg


def _draw(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], "o-", color=COLORS["series-1"])
    axes.set_title("cost $5 & <more>")


def test_it_scales_with_its_box_and_says_what_it_shows() -> None:
    root = ET.fromstring(inline_svg("a", 'loss "by" <epoch>', (4.0, 3.0), _draw))
    assert root.get("viewBox") == "0 0 288 216"
    assert root.get("width") is None
    assert root.get("height") is None
    assert (root.get("role"), root.get("aria-label")) == ("img", 'loss "by" <epoch>')


def test_text_is_text_and_never_mathematics() -> None:
    texts = [
        node.text for node in ET.fromstring(inline_svg("a", "", (4.0, 3.0), _draw)).iter() if node.tag.endswith("text")
    ]
    assert "cost $5 & <more>" in texts


def test_colours_follow_the_page() -> None:
    svg = inline_svg("a", "", (4.0, 3.0), _draw)
    assert f"var(--series-1, {COLORS['series-1']})" in svg
    without_fallbacks = re.sub(r"var\(--[\w-]+, #\w+\)", "", svg)
    assert not any(color in without_fallbacks for color in COLORS.values())


def test_the_same_figure_is_the_same_text_and_names_keep_ids_apart() -> None:
    first, again, other = (inline_svg(name, "", (4.0, 3.0), _draw) for name in ("a", "a", "b"))
    assert first == again
    ids = [set(re.findall(r' id="([^"]*)"', svg)) for svg in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
