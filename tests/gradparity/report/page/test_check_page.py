import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.parity import Report
from gradparity.report.page import check_page

MakeComparison = Callable[..., Comparison]


@pytest.fixture(scope="module")
def report(make_comparison: MakeComparison, images: Dataset) -> Report:
    return make_comparison(images).report


def words(html: str) -> str:
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)
    return " ".join(text.split())


def test_agreement_table_and_machine_are_on_the_page(report: Report) -> None:
    page = words(report.to_html())
    assert f"✓ All {len(report.rows)} comparisons of numpy, jax agree." in page
    assert "d[&#39;W&#39;] 1.0×10⁻¹⁶ &lt; 0.1% 1.0×10⁻¹⁶ &lt; 0.1% 1.0×10⁻⁵ ✓ agree" in page
    assert "examples 11 seed 0 witnesses jax and torch" in page
    assert "python 3." in page
    assert "✗" not in page


def test_a_wrong_line_is_told_in_its_sentence_and_red(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, wrong=[("numpy", "W")]).report
    html = report.to_html()
    assert (
        words(html).count("d['W'] of numpy against jax in float64: relative error 5.0e-01".replace("'", "&#39;")) == 1
    )
    assert '<td class="wrong">✗ 5.0×10⁻¹</td>' in html
    assert "numpy wrong" in html


def test_remarks_are_on_the_page_as_text(report: Report) -> None:
    html = replace(report, remarks=("kinks: 3 <b>near</b>",)).to_html()
    assert "kinks: 3 &lt;b&gt;near&lt;/b&gt;" in html


def test_training_is_on_the_page_where_it_was_asked_for(make_comparison: MakeComparison, images: Dataset) -> None:
    found = make_comparison(images, apart=["numpy"])
    with_training = check_page(found.report, found.training)
    assert "but training runs apart." in with_training
    assert with_training.count("<svg") == 2
    assert "<svg" not in check_page(found.report)


def test_nothing_outside_the_page_is_referred_to(make_comparison: MakeComparison, images: Dataset) -> None:
    found = make_comparison(images)
    html = check_page(found.report, found.training)
    addresses = re.findall(r'\b(?:src|href|data)="([^"]*)"', html)
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_nothing_compared_is_not_shown_as_agreement(make_comparison: MakeComparison, images: Dataset) -> None:
    page = words(make_comparison(images, backends=("jax",), witnesses=("jax",)).report.to_html())
    assert "✗ Nothing was compared" in page
    assert "✓" not in page


def test_a_wrong_line_is_shown_with_its_source_its_formula_and_three_pictures(
    make_comparison: MakeComparison, images: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text('\n    d["W"] = batch.x @ d["logits"]\n')
    comparison = make_comparison(images, wrong=[("numpy", "W")])
    arrays = np.ones((3, 200)), np.zeros((3, 200))
    rows = tuple(
        row if row.agrees else replace(row, place=f"{file}:2", arrays=arrays) for row in comparison.report.rows
    )
    html = check_page(replace(comparison.report, rows=rows), derivation=comparison.spec.derivation)
    assert f"{file}:2</span><br><code>d[&#34;W&#34;] = batch.x @ d[&#34;logits&#34;]</code>" in html
    assert re.findall(r"<figcaption>(\w+)<br>±(\S+)</figcaption>", html) == [
        ("numpy", "1"), ("jax", "1"), ("difference", "1"),
    ]  # fmt: skip
    assert "red is above 0, blue below; 300 of 600 entries." in html
    assert html.count("<math") == check_page(comparison.report).count("<math") + 1
    assert "arrays" not in rows[0].to_dict()
