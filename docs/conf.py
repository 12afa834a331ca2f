"""The site: ``make docs`` builds it to build/docs, without a network, and a warning is an error."""

import json
import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from gradparity.exercise import exercises

project = "gradparity"
author = "the gradparity developers"
version = release = installed("gradparity")

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["examples"]
REPOSITORY = "https://github.com/gradparity/gradparity/blob/main/"
HERE = Path(__file__).parent
LESSON_PAGES = HERE.parent / "build" / "lessons"
"""Written by ``make lessons``; the site has those that are there."""


def lesson(folder: Path) -> str:
    """Return a lesson as an item of a list: its title, which leads to its page or to its folder, and its exercises."""
    cells = json.loads((folder / "lesson.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    title = next(line.removeprefix("# ") for line in lines if line.startswith("# "))
    page = f"{folder.name}.html"
    made = (LESSON_PAGES / page).exists()
    address = f"lessons/{page}" if made else f"{REPOSITORY}{folder.relative_to(HERE.parent)}"
    own = [name for name, each in exercises().items() if each.order[0] == int(folder.name[:2])]
    return f'- <a href="{address}">{title}</a>; exercises {", ".join(f"`{name}`" for name in own)}'


myst_enable_extensions = ["deflist", "substitution"]
myst_substitutions = {
    "lessons": "\n".join(lesson(path.parent) for path in sorted(HERE.parent.glob("lessons/*/lesson.ipynb")))
}
myst_heading_anchors = 3
highlight_language = "text"  # most of what stands in a block is what a terminal shows
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autoclass_content = "class"

html_theme = "pydata_sphinx_theme"
html_title = "gradparity"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "graph": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "start": [], "graph": [], "reference": []}
html_show_sourcelink = False
html_copy_source = False


def outside(_: Any, __: str, source: list[str]) -> None:
    """Let a link to a folder, or to a file that is no page, lead to the repository; to what is not there it warns."""

    def address(found: re.Match[str]) -> str:
        path = (HERE / found[1]).resolve()
        linked = path.is_dir() or (path.exists() and not path.is_relative_to(HERE))
        return f"]({REPOSITORY}{path.relative_to(HERE.parent)})" if linked else found[0]

    source[0] = re.sub(r"\]\(([^)#:]+)\)", address, source[0])


def copy_lessons(app: Any, _: Exception | None) -> None:
    """Copy the lessons' pages into the site, each with a way back."""
    copies = Path(app.outdir) / "lessons"
    shutil.rmtree(copies, ignore_errors=True)
    for page in LESSON_PAGES.glob("*.html"):
        copies.mkdir(exist_ok=True)
        before, nav, after = page.read_text(encoding="utf-8").partition('<nav aria-label="Contents">')
        (copies / page.name).write_text(
            f'{before}{nav}\n<a href="../learn.html">All lessons</a>{after}', encoding="utf-8"
        )


def setup(app: Any) -> None:
    """Hook the above into Sphinx."""
    app.connect("source-read", outside)
    app.connect("build-finished", copy_lessons)
