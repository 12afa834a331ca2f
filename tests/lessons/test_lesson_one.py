"""Lesson one as a reader meets it: the notebook from top to bottom, and the page that is made of it."""

import html
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "lessons" / "01-softmax-regression"
NOTEBOOK = FOLDER / "lesson.ipynb"
NINE_LINES = """\
Epoch 01 - Loss: 0.4578, Accuracy: 0.8858
Epoch 02 - Loss: 0.3865, Accuracy: 0.8969
Epoch 03 - Loss: 0.3568, Accuracy: 0.9029
Epoch 04 - Loss: 0.3398, Accuracy: 0.9070
Epoch 05 - Loss: 0.3275, Accuracy: 0.9101
Epoch 06 - Loss: 0.3183, Accuracy: 0.9123
Epoch 07 - Loss: 0.3132, Accuracy: 0.9131
Epoch 08 - Loss: 0.3065, Accuracy: 0.9167
Test Accuracy: 91.58%"""
InBrowser = Callable[[str], tuple[str, list[str]]]

# One run serves every test here: with pytest --dist loadgroup they stay on one worker.
pytestmark = pytest.mark.xdist_group("lesson-one")


@pytest.fixture(scope="module")
def on_digits(export: ModuleType) -> NotebookNode:
    """The notebook with its outputs, on a machine that has no MNIST."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADPARITY_DATA", "no-such-folder")  # so that a copy in the user's cache is not found either
        ran: NotebookNode = export.run(NOTEBOOK)
    return ran


@pytest.fixture(scope="module")
def page(export: ModuleType, on_digits: NotebookNode) -> str:
    made: str = export.page(on_digits)
    return made


def test_it_runs_from_top_to_bottom_on_digits_without_a_warning(on_digits: NotebookNode) -> None:
    assert "digits: 1437 images" in _said(on_digits)
    _require_clean(on_digits)


def test_every_gradient_derived_by_hand_is_the_referees(on_digits: NotebookNode) -> None:
    agreed = re.findall(r"^(.+): relative error \S+, agree$", _said(on_digits), re.MULTILINE)
    assert agreed == ["d_losses", "p - Y", "the derivative of softmax", "the long way", "dZ", "dW", "db"]


def test_its_derivation_agrees_with_the_machines_and_each_planted_mistake_is_named(on_digits: NotebookNode) -> None:
    said = _said(on_digits)
    assert re.search(r"^All \d+ comparisons of numpy, jax, torch agree\.$", said, re.MULTILINE)
    assert "d['b'] must have the shape of p['b']" in said
    assert "d['b'] is zero up to rounding" in said
    assert "red lines: logits\nd['logits'] is n times too large" in said


def test_what_it_says_about_the_machines_operations_is_there(on_digits: NotebookNode) -> None:
    _, _, operations = _said(on_digits).partition('d["logits"] = d["loss"]')
    order = [operations.find(f" = {name}") for name in ("div d(loss)", "scatter-add", "mul", "add_any")]
    assert -1 not in order
    assert order == sorted(order)
    assert re.search(r"dot_general.* d\(logits\) batch\.x", operations)
    assert "reduce_sum[axes=(0,)] d(logits)" in operations


def test_what_it_times_has_trained_the_same_weights(on_digits: NotebookNode) -> None:
    apart = re.findall(r"^(.+?) +first epoch .* largest difference of a weight (\S+)$", _said(on_digits), re.MULTILINE)
    assert [name for name, _ in apart] == ["our loop", "our loop, again", "numpy", "jax", "torch"]
    assert max(float(difference) for _, difference in apart) < 1e-6


def test_every_figure_is_there_with_a_text_in_its_place(on_digits: NotebookNode) -> None:
    drawn = [cell for cell in _code(on_digits) if any("image/png" in out.get("data", {}) for out in cell.outputs)]
    assert [cell.id for cell in drawn] == ["look", "learned", "confusion", "worst"]
    assert all(cell.metadata.get("alt") for cell in drawn)


@pytest.mark.parametrize("until", ["nine", pytest.param("manifest", marks=pytest.mark.slow)])
def test_on_mnist_it_prints_the_nine_lines_of_the_notebook_that_it_began_as(
    export: ModuleType, until: str, tmp_path: Path
) -> None:
    if not os.environ.get("GRADPARITY_DATA"):
        pytest.skip("GRADPARITY_DATA names no folder with MNIST")
    lesson = nbformat.read(NOTEBOOK, as_version=4)
    last = [cell.id for cell in lesson.cells].index(until)
    lesson.cells = lesson.cells[: last + 1]
    nbformat.write(lesson, tmp_path / "lesson.ipynb")
    notebook = export.run(tmp_path / "lesson.ipynb")
    said = _said(notebook)
    assert "mnist: 60000 images" in said
    assert NINE_LINES in said
    assert "The nine lines are the first notebook's: True" in said
    _require_clean(notebook)


def test_the_page_loads_without_a_request_or_an_error(page: str, in_browser: InBrowser) -> None:
    document, console = in_browser(page)
    assert "Lesson 1" in document
    assert document.rstrip().endswith("</html>")
    assert console == []


def test_a_request_of_the_page_would_be_seen(page: str, in_browser: InBrowser) -> None:
    _, console = in_browser(page.replace("</main>", '<img src="missing.png" alt=""></main>'))
    assert "missing.png" in "".join(console)


def test_the_page_shows_formulas_and_no_latex(page: str) -> None:
    prose = re.sub(r"<(style|script|pre|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", "", prose))
    assert "$" not in text
    assert "\\" not in text
    assert page.count("<math") > 50
    assert page.count("<script>") == 2  # one copies cells, one steps through the graph


def test_no_sentence_is_taken_for_a_formula(page: str) -> None:
    kept = re.findall(r'<span class="together">(.*?)</span>', page, re.DOTALL)
    assert kept
    assert {each.count("</math>") for each in kept} == {1}


def test_the_contents_lead_to_every_part(page: str) -> None:
    _, _, contents = page.partition("<nav")
    links = re.findall(r'<a href="#(\S+)">\d+\. ', contents.partition("</nav>")[0])
    assert len(links) == 9
    assert all(f'id="{link}"' in page for link in links)


def test_badge_and_installation_name_the_projects_own_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project["urls"]["Repository"]
    path = NOTEBOOK.relative_to(ROOT).as_posix()
    badge = repository.replace("github.com", "colab.research.google.com/github") + f"/blob/main/{path}"
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first, second = notebook.cells[:2]
    assert badge in first.source
    assert badge in (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"git+{repository}" in second.source


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _said(notebook: NotebookNode) -> str:
    """Everything that the cells print, tables too, as text; not what stands for a figure."""
    outputs = [output for cell in _code(notebook) if cell.id != "step" for output in cell.outputs]
    texts = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return "\n".join(text.removesuffix("\n") for text in texts)


def _require_clean(notebook: NotebookNode) -> None:
    """Require that every cell ran, no comparison failed, and nothing was warned of."""
    assert all(cell.execution_count for cell in _code(notebook))
    assert [out for cell in _code(notebook) for out in cell.outputs if out.get("name") == "stderr"] == []
    assert not re.search(r"\bFalse\b|DISAGREE", _said(notebook))
