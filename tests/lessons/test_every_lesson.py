"""Every lesson: a folder with a text, a notebook without outputs that runs, and exercises of its number."""

import html
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gradparity.exercise import exercises

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "lessons").glob("*/lesson.ipynb"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


@cache
def _notebook(folder: Path) -> NotebookNode:
    found: NotebookNode = nbformat.read(folder / "lesson.ipynb", as_version=nbformat.NO_CONVERT)
    nbformat.validate(found)
    return found


def _prose(folder: Path) -> str:
    return "\n".join(cell.source for cell in _notebook(folder).cells if cell.cell_type == "markdown")


def test_it_is_committed_without_outputs_for_any_python_kernel(folder: Path) -> None:
    notebook = _notebook(folder)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert [c.id for c in notebook.cells if c.cell_type == "code" and (c.outputs or c.execution_count)] == []


def test_its_badge_opens_it_and_its_text_names_it(folder: Path) -> None:
    place = f"blob/main/lessons/{folder.name}/lesson.ipynb"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert place in _notebook(folder).cells[0].source
    assert place in text
    assert text.partition("\n")[0] in _prose(folder)


def test_its_exercises_are_those_of_its_number_and_it_says_how_to_begin_each(folder: Path) -> None:
    own = [name for name, each in exercises().items() if each.order[0] == int(folder.name[:2])]
    assert len(own) >= 2
    for text in (_prose(folder), (folder / "README.md").read_text(encoding="utf-8")):
        assert [name for name in own if f"exercise start {name}" not in text] == []


def test_an_answer_is_folded_or_at_the_end(folder: Path) -> None:
    prose = _prose(folder)
    asked = set(re.findall(r"\*\*Question (\d+)\.", prose))
    if asked:
        answers = prose.partition("\n## Answers\n")[2]
        assert set(re.findall(r"^(\d+)\. ", answers, re.MULTILINE)) == asked
    else:
        assert "<details>" in prose


def test_a_cell_that_answers_stands_below_its_question(folder: Path) -> None:
    cells = _notebook(folder).cells
    asked = [before for before, cell in pairwise(cells) if "answer" in cell.metadata.get("tags", ())]
    assert [cell.id for cell in asked if "**Question" not in cell.source] == []


def test_the_page_folds_a_cell_that_answers(export: ModuleType) -> None:
    cells = [new_markdown_cell("# Title"), new_code_cell("6 * 7"), new_code_cell("6 * 9")]
    cells[1].metadata.tags = ["answer"]
    page = export.page(new_notebook(cells=cells))
    folded = page.partition('<details class="answer">')[2].partition("</details>")[0]
    assert [number in folded for number in "679"] == [True, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("folder", [each for each in FOLDERS if each.name[:2] != "01"], ids=lambda folder: folder.name)
def test_it_runs_from_top_to_bottom_and_its_page_has_formulas_and_no_latex(folder: Path, export: ModuleType) -> None:
    ran = export.run(folder / "lesson.ipynb")
    outputs = [out for cell in ran.cells if cell.cell_type == "code" for out in cell.outputs]
    assert [out for out in outputs if out.get("name") == "stderr"] == []
    page = export.page(ran)
    prose = re.sub(r"<(style|script|pre|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", "", prose))
    assert "$" not in text
    assert "\\" not in text
    assert page.count("<math") > 5
