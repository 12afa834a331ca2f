"""The page in a real browser. Its own policy forbids every request, and a breach is an error on the console."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.drawing.words import entry
from gradparity.explain import explain
from gradparity.models import MLP, SoftmaxRegression
from gradparity.report.page import comparison_page
from gradparity.report.page.explain import render

MakeComparison = Callable[..., Comparison]
InBrowser = Callable[[str], tuple[str, list[str]]]


@pytest.fixture(scope="module")
def explained() -> str:
    return render(explain(SoftmaxRegression(), n=4))


def test_the_page_loads_without_a_request_or_an_error(
    make_comparison: MakeComparison, images: Dataset, in_browser: InBrowser
) -> None:
    document, console = in_browser(comparison_page(make_comparison(images)))
    assert "comparisons of numpy, jax agree" in document
    assert document.rstrip().endswith("</html>")
    assert console == []


def test_a_request_would_be_seen(make_comparison: MakeComparison, images: Dataset, in_browser: InBrowser) -> None:
    html = comparison_page(make_comparison(images)).replace("</main>", '<img src="missing.png" alt=""></main>')
    _, console = in_browser(html)
    assert "missing.png" in "".join(console)


def test_the_page_of_an_explanation_loads_without_a_request_or_an_error(explained: str, in_browser: InBrowser) -> None:
    document, console = in_browser(explained)
    assert "No line differs from the machine" in document
    assert document.rstrip().endswith("</html>")
    assert console == []


def test_a_weight_that_does_nothing_is_drawn_too(in_browser: InBrowser) -> None:
    explanation = explain(MLP(widths=(2, 2, 2)), n=3, seed=6)
    flat = [weight for weight in explanation.weights if not any(weight.central)]
    assert flat
    document, _ = in_browser(render(replace(explanation, weights=tuple(flat))))
    assert 'cy="NaN"' not in document
    assert '<circle class="central" cx="' in document


def test_a_script_of_another_hand_would_not_run_on_the_page_of_an_explanation(
    explained: str, in_browser: InBrowser
) -> None:
    html = explained.replace("</main>", "<script>document.title = 'taken over'</script></main>")
    document, console = in_browser(html)
    assert "<title>taken over" not in document
    assert "Content Security Policy" in "".join(console)


FOCUS = """
const place = document.querySelector(SELECTOR);
place.focus();
const mark = (e) => getComputedStyle(e).getPropertyValue("--mark");
const marked = [...document.querySelectorAll("[data-of]")].filter((e) => mark(e) !== mark(document.body));
const program = document.querySelector("ol.program:not(.nodes)");
const last = [...program.querySelectorAll("[data-of~=gradient-2]")].at(-1);
document.title = JSON.stringify({
  focused: place.matches(":focus"),
  marked: marked.map((e) => e.dataset.of),
  seen: last.offsetTop >= program.scrollTop && last.offsetTop < program.scrollTop + program.clientHeight,
});
"""


def _focused(html: str, selector: str, in_browser: InBrowser) -> dict[str, Any]:
    """Return what is marked, and whether d(logits) is seen, once this place has the focus."""
    watched = re.sub("<meta http-equiv[^>]*>", "", html)
    watched = watched.replace("</body>", f"<script>{FOCUS.replace('SELECTOR', json.dumps(selector))}</script></body>")
    for _ in range(5):
        document, console = in_browser(watched)
        assert console == []
        found = dict(json.loads(re.findall("<title>(.*?)</title>", document)[0]))
        if found["focused"]:  # on a busy machine the page may come before its window has the focus
            break
    assert found["focused"]
    return found


def test_focus_on_a_line_marks_and_shows_its_equations_and_its_node(explained: str, in_browser: InBrowser) -> None:
    found = _focused(explained, "#gradient-2 summary", in_browser)
    equations = len(re.findall(r'<li id="equation[^>]* data-of="gradient-2"', explained))
    assert equations > 10
    assert set(found["marked"]) == {"gradient-2"}
    assert found["marked"].count("gradient-2") == equations + len(["its place", "its node of torch"])
    assert found["seen"]


STEP = """
const figure = document.querySelector(".gradparity-steps");
const said = figure.querySelector(".said");
const seen = [said.textContent];
for (let i = 0; i < 20; i++) {
  figure.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  if (said.textContent !== seen.at(-1)) seen.push(said.textContent);
}
const visible = (e) => getComputedStyle(e).visibility === "visible" && e.textContent;
const shown = (selector) => [...figure.querySelectorAll(selector)].filter(visible).map((e) => e.textContent);
document.title = JSON.stringify({
  seen,
  where: figure.querySelector(".where").textContent,
  values: shown(".box .value"),
  gradients: shown(".box .gradient"),
  arrows: figure.querySelectorAll(".arrow.back.gone").length,
});
"""


def test_the_graph_steps_to_the_end_and_shows_the_numbers_that_python_has(
    explained: str, in_browser: InBrowser
) -> None:
    watched = re.sub("<meta http-equiv[^>]*>", "", explained)
    document, console = in_browser(watched.replace("</body>", f"<script>{STEP}</script></body>"))
    assert console == []
    found = json.loads(re.findall("<title>(.*?)</title>", document)[0])
    explanation = explain(SoftmaxRegression(), n=4)
    followed = {line.name: line.followed for line in explanation.lines if line.followed}
    assert found["where"] == "Backward 4 of 4"
    assert len(found["seen"]) == len(["logits", "loss"]) + 4
    assert sorted(found["values"]) == sorted(entry(each.value) for each in followed.values())
    assert sorted(found["gradients"]) == sorted(f"d {entry(each.gradient)}" for each in followed.values())
    assert found["arrows"] == len(["W and logits", "b and logits", "logits and loss"])
