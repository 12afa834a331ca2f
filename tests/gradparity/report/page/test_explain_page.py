"""The page of an explanation has every line and every equation, ties them together, and refers to nothing outside."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gradparity.drawing.words import entry, shape
from gradparity.explain import Edge, Explanation, explain
from gradparity.models import SoftmaxRegression
from gradparity.report.page.explain import render

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "my_model.py"


class Page(HTMLParser):
    """A page's elements as (tag, attributes, text up to the next element)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.elements[-1][2].append(data)

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes, _ in self.elements if name in attributes]

    def of(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for found, attributes, _ in self.elements if found == tag)


def words(html: str) -> str:
    text = re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    return " ".join(text.split())


@pytest.fixture(scope="module")
def softmax() -> Explanation:
    return explain(SoftmaxRegression(features=6, classes=4, weight_decay=0.1), n=7)


@pytest.fixture(scope="module")
def html(softmax: Explanation) -> str:
    return render(softmax)


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    file = tmp_path_factory.mktemp("model") / "wrong.py"
    file.write_text(EXAMPLE.read_text().replace(' * (1 - c["a"] ** 2)', ""))
    return explain(str(file), n=7)


def test_every_line_has_its_place_forwards_and_then_backwards(softmax: Explanation, html: str) -> None:
    articles = re.findall(r'<article id="([^"]*)".*?<h3><a href="#([^"]*)"><code>(.*?)</code>', html, flags=re.DOTALL)
    assert [name for *_, name in articles] == [
        *(line.name for line in softmax.lines),
        *(f"d({line.name})" for line in softmax.backwards),
    ]
    assert all(own == linked for own, linked, _ in articles)


def test_every_equation_stands_once_in_the_program_at_the_line_that_it_belongs_to(
    softmax: Explanation, html: str
) -> None:
    shown = re.findall(r'<li id="equation-\d+-(\d+)" value="\d+" data-of="([^"]*)"><code>(.*?)</code>', html)
    expected: dict[int, tuple[str, str]] = {}
    for i, line in enumerate(softmax.lines):
        does = line.machine["jax"]
        expected |= {operation.position: (f"value-{i}", operation.text) for operation in does.forward}
        expected |= {operation.position: (f"gradient-{i}", operation.text) for operation in does.backward}
    assert [int(position) for position, *_ in shown] == sorted(expected) == list(range(len(expected)))
    assert {int(p): (key, text.replace("&gt;", ">").replace("&lt;", "<")) for p, key, text in shown} == expected


def test_each_line_has_the_node_that_receives_its_gradient(softmax: Explanation, html: str) -> None:
    nodes = re.findall(r'<li data-of="([^"]*)"><code>(.*?)</code>', html)
    order = [line.name for line in softmax.lines]
    assert nodes == [
        (f"gradient-{order.index(line.name)}", line.machine["torch"].receiver) for line in softmax.backwards
    ]


def test_a_table_shows_each_source_at_each_place_and_the_verdict(softmax: Explanation, html: str) -> None:
    found = softmax.line("logits").gradient
    assert found is not None
    article = html[html.index('<article id="gradient-2"') :].partition("</article>")[0]
    shown = words(article)
    assert f"d(logits) {shape(found.shape)} · from d(cross_entropy)" in shown
    for column in found.columns:
        assert f"{column.source} {' '.join(map(entry, column.entries))}" in shown
    assert "✓ same to rounding , relative error" in shown
    assert "<math" in article
    assert "log-sum-exp has derivative softmax" in shown
    assert "softmax(c[&#34;logits&#34;])" in shown


def test_ids_are_unique_and_what_is_referred_to_exists(html: str, wrong: Explanation) -> None:
    for page in (Page(html), Page(render(wrong))):
        ids = page.attributes("id")
        assert len(ids) == len(set(ids))
        for address in page.attributes("href"):
            assert address == "data:," or address[1:] in ids
        assert set(page.attributes("aria-describedby")) <= set(ids)
        assert set(page.attributes("aria-labelledby")) <= set(ids)
        sides = {key for keys in page.attributes("data-of") for key in keys.split()}
        assert sides
        assert sides <= set(ids)


def test_without_a_script_the_graph_is_told_in_words_and_drawn(softmax: Explanation, html: str) -> None:
    (ladder,) = (svg for svg in Page(html).of("svg") if svg.get("class") == "ladder")
    assert "logits reads batch.x, W and b" in ladder["aria-label"]
    assert "loss reads cross_entropy and penalty" in ladder["aria-label"]
    drawn = html[html.index('<svg class="ladder"') :].partition("</svg>")[0]
    assert len(re.findall(r'<path d="M174 ', drawn)) == len(softmax.edges)


def test_a_wrong_line_is_told_at_the_top_and_red_at_its_place_and_in_its_step(wrong: Explanation) -> None:
    html = render(wrong)
    shown = words(html)
    assert "✗ Different from the machine: z. d(z) is different, relative error" in shown
    assert "lacks the factor 1 - c[&#39;a&#39;]**2" in shown
    assert len(re.findall('class="found different"', html)) == 1
    assert len(re.findall('class="verdict-line wrong"', html)) == 1
    assert "No line differs" not in html


def test_without_formulas_the_statements_stand_alone(wrong: Explanation) -> None:
    html = render(wrong)
    assert "<math" not in html
    assert "<pre><code>d[&#34;z&#34;] = d[&#34;a&#34;]</code></pre>" in html


def test_a_machine_that_tells_nothing_leaves_out_the_programs(softmax: Explanation) -> None:
    silent = replace(softmax, edges=(), lines=tuple(replace(line, machine={}) for line in softmax.lines))
    html = render(silent)
    assert "Program of" not in html
    assert "d(logits)" in html


def test_one_machine_alone_has_its_own_side(softmax: Explanation) -> None:
    def only(backend: str) -> str:
        lines = tuple(replace(line, machine={backend: line.machine[backend]}) for line in softmax.lines)
        edges = tuple(edge for edge in softmax.edges if not edge.source.startswith("batch."))
        return render(replace(softmax, lines=lines, edges=edges))

    assert ("Program of jax" in only("jax"), "Graph of torch" in only("jax")) == (True, False)
    assert ("Program of jax" in only("torch"), "Graph of torch" in only("torch")) == (False, True)


def test_a_value_without_a_gradient_has_no_place_backwards(softmax: Explanation) -> None:
    lines = tuple(replace(line, gradient=None) if line.name == "penalty" else line for line in softmax.lines)
    html = render(replace(softmax, lines=lines))
    assert "<code>penalty</code>" in html
    assert "<code>d(penalty)</code></a>" not in html


def test_names_and_remarks_are_text(softmax: Explanation) -> None:
    odd = "<b>\"'"
    rename = {"logits": odd}
    html = render(
        replace(
            softmax,
            lines=tuple(replace(line, name=rename.get(line.name, line.name)) for line in softmax.lines),
            edges=tuple(Edge(rename.get(e.source, e.source), rename.get(e.target, e.target)) for e in softmax.edges),
            remarks=("no column <i>",),
        )
    )
    assert "<b>" not in html
    assert "<i>" not in html
    ids = Page(html).attributes("id")
    assert len(ids) == len(set(ids))


def test_nothing_outside_the_page_is_referred_to(html: str) -> None:
    assert all(address.startswith(("#", "data:")) for address in re.findall(r'\b(?:src|href)="([^"]*)"', html))
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


@pytest.mark.parametrize(
    ("number", "written"),
    [(None, "—"), (0.0, "0"), (-0.0895337544, "−0.0895338"), (-1.75e-05, "−1.75×10⁻⁵"), (2e10, "2×10¹⁰")],
)
def test_an_entry_has_six_digits(number: float | None, written: str) -> None:
    assert entry(number) == written
