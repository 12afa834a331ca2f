"""``python lessons/export.py [FOLDER]``: run every lesson's notebook and write it as one HTML page.

The folder is ``build/lessons`` unless it is named. A page needs no network: formulas become MathML, images are part
of it, and its scripts copy a cell and step through the graph where there is one.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from gradparity.drawing.formulas import mathml

LESSONS = Path(__file__).parent
TIME_LIMIT = 120
"""Seconds that a cell may take."""
KERNEL = Config({"KernelSpecManager": {"kernel_dirs": []}, "KernelManager": {"transport_encryption": "auto"}})
"""This Python's own kernel, whatever others are installed, and no warning that others could listen."""
COLUMNS = 92
"""Letters in a line of output that the page shows on a wide screen."""
COPY = (LESSONS / "copy.js").read_text(encoding="utf-8").strip()
NOTEBOOK_ONLY = "remove-cell"
"""The tag of cells that the page leaves out: they serve whoever runs the notebook."""


def run(notebook: Path) -> NotebookNode:
    """Run a notebook in its folder, and return it with its outputs.

    Raises nbclient's CellExecutionError for a cell that raises.
    """
    node = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(node, timeout=TIME_LIMIT, coalesce_streams=True, resources=resources, config=KERNEL)
    return client.execute(env=os.environ | {"JUPYTER_COLUMNS": str(COLUMNS)})


def page(node: NotebookNode) -> str:
    """Return a notebook with its outputs as one HTML page."""
    exporter = HTMLExporter(
        template_name="basic",
        template_file="lesson.html.jinja",
        extra_template_paths=[str(LESSONS)],
        config=Config({"TagRemovePreprocessor": {"enabled": True, "remove_cell_tags": [NOTEBOOK_ONLY]}}),
    )
    exporter.register_filter("markdown2html", _html)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    resources = {
        "light": light,
        "dark": dark,
        "contents": _contents(node),
        "script": COPY,
        "metadata": {"name": _title(node)},
    }
    html, _ = exporter.from_notebook_node(node, resources=resources)
    return str(html)


class _Renderer(IPythonRenderer):
    """Markdown to HTML, with formulas that a browser shows by itself."""

    def block_math(self, body: str) -> str:
        return str(mathml(body))

    def inline_math(self, body: str) -> str:
        return str(mathml(body)).replace('display="block"', 'display="inline"', 1)


def _html(markdown: str) -> str:
    renderer = _Renderer(escape=False, exclude_anchor_links=True)
    html = MarkdownWithMath(renderer=renderer).render(markdown)
    # A browser may break a line between a formula and the comma after it.
    inline = r'(<math [^>]*display="inline"(?:(?!</math>).)*</math>)([.,:;)]+)'
    return re.sub(inline, r'<span class="together">\1\2</span>', html)


def _contents(node: NotebookNode) -> list[tuple[str, str]]:
    """Return the sections of a lesson: the cell that begins each, and its title as HTML."""
    # A number and a point would begin a list, so the number is kept apart.
    titles = ((cell.id, re.search(r"^## (\d+\. )?(.+)$", cell.source, re.MULTILINE)) for cell in node.cells)
    return [
        (id_, (found[1] or "") + _html(found[2]).strip().removeprefix("<p>").removesuffix("</p>"))
        for id_, found in titles
        if found
    ]


def _title(node: NotebookNode) -> str:
    lines = [line for cell in node.cells for line in str(cell.source).splitlines()]
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


def main(folder: Path) -> None:
    """Export every lesson."""
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(LESSONS.glob("*/lesson.ipynb")):
        written = folder / f"{notebook.parent.name}.html"
        written.write_text(page(run(notebook)), encoding="utf-8")
        print(f"The page is {written}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else LESSONS.parent / "build" / "lessons"))
