import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.models import MLP
from gradparity.report.page import comparison_page
from gradparity.timing import Timings

MakeComparison = Callable[..., Comparison]

VOID = {"meta", "link", "img", "br"}
SECTIONS = ("training", "timing", "gradients", "parity", "derivation", "drift", "weights")
REAL = MLP((7, 4, 3), loss="squared_error")


class Outline(HTMLParser):
    """Checks that elements nest, and collects what the tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def comparison(make_comparison: MakeComparison, images: Dataset) -> Comparison:
    return make_comparison(images, backends=("numpy", "jax", "torch"))


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    return comparison_page(comparison)


def test_every_section_is_there_and_the_menu_leads_to_it(html: str) -> None:
    attributes = Outline(html).attributes
    assert [v for tag, name, v in attributes if (tag, name) == ("section", "id")] == list(SECTIONS)
    assert [v for tag, name, v in attributes if (tag, name) == ("a", "href")] == [f"#{s}" for s in SECTIONS]


def test_nothing_outside_the_page_is_referred_to(html: str) -> None:
    addresses = [
        v for _, name, v in Outline(html).attributes if name.split(":")[-1] in ("src", "href", "srcset", "data")
    ]
    assert addresses
    assert all((address or "").startswith(("#", "data:")) for address in addresses)
    assert re.findall(r"url\((?!#)", html) == []
    assert "@import" not in html
    assert "<script" not in html


def test_the_browser_is_told_to_load_nothing(html: str) -> None:
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" in html


def test_ids_are_unique(html: str) -> None:
    ids = [v for _, name, v in Outline(html).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_picture_and_figure_has_words_for_it(html: str) -> None:
    outline = Outline(html)
    alternatives = [v for tag, name, v in outline.attributes if (tag, name) == ("img", "alt")]
    labels = [v for tag, name, v in outline.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(alternatives) == outline.tags.count("img") > 0
    assert len(labels) == outline.tags.count("svg") == 6
    assert all(alternatives)
    assert all(labels)
    assert outline.tags.count("caption") == outline.tags.count("table")


def test_agreement_is_said_in_words(html: str, comparison: Comparison) -> None:
    assert f"✓ All {len(comparison.report.rows)} comparisons of numpy, jax, torch agree." in Outline(html).text


def test_model_data_settings_and_machine_are_stated(html: str) -> None:
    text = Outline(html).text
    for words in ("softmax_regression on little", "features 12", "training 20 examples", "batch size 64", "python 3."):
        assert words in text


def test_a_disagreement_is_said_in_words_and_marked_in_table_and_derivation(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    outline = Outline(comparison_page(make_comparison(images, wrong=[("numpy", "W")])))
    assert "✗ 4 of " in outline.text
    assert "numpy disagrees with jax and torch on the gradient of W." in outline.text
    assert "in float32 only" not in outline.text
    assert "✗ numpy wrong" in outline.text
    assert "W ✗ disagrees" in outline.text
    assert "d['W'] of numpy against jax in float64: relative error 5.0e-01" in outline.text


def test_a_disagreement_in_one_lane_names_the_lane(make_comparison: MakeComparison, images: Dataset) -> None:
    found = make_comparison(images, wrong=[("numpy", "W")])
    rows = tuple(r for r in found.report.rows if r.lane == "float32" and r.witness == "jax")
    text = Outline(comparison_page(replace(found, report=replace(found.report, rows=rows)))).text
    assert "numpy disagrees with jax on the gradient of W, in float32 only." in text


def test_training_that_runs_apart_is_said_in_words_and_not_timed(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    text = Outline(comparison_page(make_comparison(images, apart=["numpy"]))).text
    assert "comparisons of gradients agree, but training runs apart." in text
    assert "W of numpy in float64 after 10 steps: 1.0e-02 from jax's float64 run, at most 1.0e-14 is rounding" in text
    assert "float64 10 ✗ 1.0×10⁻² > 1000% 1.0×10⁻¹⁵ 10% W ✗ numpy wrong" in text
    assert "Not timed: numpy." in text


def test_no_second_backend_has_no_training_to_compare(comparison: Comparison) -> None:
    text = Outline(comparison_page(replace(comparison, training=None))).text
    assert "There is no second backend whose training could be compared." in text


def test_a_backend_that_cannot_train_is_named(comparison: Comparison) -> None:
    assert comparison.training is not None
    training = replace(comparison.training, untrained={"torch": "no <such> thing"})
    assert (
        "torch is not trained: no <such> thing" in Outline(comparison_page(replace(comparison, training=training))).text
    )


def test_a_backend_that_disagrees_is_not_timed_and_the_page_says_so(
    make_comparison: MakeComparison, images: Dataset
) -> None:
    text = Outline(comparison_page(make_comparison(images, wrong=[("numpy", "W")]))).text
    assert "Not timed: numpy." in text
    assert "Duration of a training step, jax = 1" in text


def test_no_timing_at_all(make_comparison: MakeComparison, images: Dataset) -> None:
    text = Outline(comparison_page(make_comparison(images, wrong=[("numpy", "W"), ("jax", "b")]))).text
    assert "Not timed: numpy and jax." in text
    assert "Duration of a training step" not in text


def test_ratios_are_read_in_words(comparison: Comparison) -> None:
    steady = (0.5, 0.25, 1.0)
    timings = Timings({"numpy": steady, "jax": (1.0, 0.5, 2.0), "torch": steady}, again=steady)
    text = Outline(comparison_page(replace(comparison, timings=timings))).text
    assert "numpy 1.00 1.00 to 1.00 reference jax 2.00 2.00 to 2.00 slower torch 1.00 1.00 to 1.00 tie" in text


def test_nothing_compared_is_not_shown_as_agreement(make_comparison: MakeComparison, images: Dataset) -> None:
    text = Outline(comparison_page(make_comparison(images, backends=("jax",), witnesses=("jax",)))).text
    assert "✗ Nothing was compared" in text
    assert "✓" not in text


def test_a_hostile_name_is_text(comparison: Comparison) -> None:
    name = "<script>alert(1)</script>\" onload='x'"
    html = comparison_page(replace(comparison, dataset=replace(comparison.dataset, name=name)))
    outline = Outline(html)
    assert "script" not in outline.tags
    assert "onload" not in {attribute for _, attribute, _ in outline.attributes}
    assert " ".join(name.split()) in outline.text


def test_a_multilayer_perceptron_shows_its_first_layers_units(make_comparison: MakeComparison, images: Dataset) -> None:
    text = Outline(comparison_page(make_comparison(images, spec=MLP((12, 25, 5))))).text
    assert "The first 20 of 25 are shown." in text
    assert "unit 19" in text
    assert "∂L/∂W1" in text
    assert "A unit is one of the first hidden layer, and its picture one column of W1." in text


def test_real_targets_have_no_accuracy_and_no_images(make_comparison: MakeComparison, real_targets: Dataset) -> None:
    outline = Outline(comparison_page(make_comparison(real_targets, spec=REAL)))
    assert "3 real targets" in outline.text
    assert "numpy 0.8333 – – reference" in outline.text
    assert "so the weights are not drawn" in outline.text
    assert "all 7 × 4 entries" in outline.text
    assert outline.tags.count("svg") == 5


def test_equal_parameters_are_said_to_be_equal(make_comparison: MakeComparison, images: Dataset) -> None:
    text = Outline(comparison_page(make_comparison(images, differences=(0.0, 0.0, 0.0)))).text
    assert "exactly the parameters of numpy, bit for bit" in text


def test_one_backend_alone_has_no_differences(make_comparison: MakeComparison, images: Dataset) -> None:
    assert "Only numpy was trained" in Outline(comparison_page(make_comparison(images, backends=("numpy",)))).text


def test_the_same_comparison_makes_the_same_page(html: str, comparison: Comparison) -> None:
    assert comparison_page(comparison) == html


def test_importing_the_page_imports_none_of_what_draws_it() -> None:
    drawing = "('matplotlib', 'jinja2', 'latex2mathml')"
    code = f"import sys, gradparity.report.page; print([m for m in {drawing} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
