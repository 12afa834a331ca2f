from xml.etree import ElementTree as ET

import pytest

from gradparity.models import MLP, SoftmaxRegression
from gradparity.report.page.formulas import mathml

SPECS = (
    SoftmaxRegression(weight_decay=0.1),
    MLP(activation="sigmoid", output_activation="tanh"),
    MLP(loss="squared_error", reduction="half-sum"),
)
FORMULAS = sorted({latex for s in SPECS for line in s.derivation for latex in (line.forward, line.backward) if latex})


@pytest.mark.parametrize("latex", FORMULAS)
def test_every_formula_becomes_well_formed_mathml_without_left_over_latex(latex: str) -> None:
    root = ET.fromstring(mathml(latex))
    assert root.tag == "{http://www.w3.org/1998/Math/MathML}math"
    assert "\\" not in "".join(root.itertext())


def test_an_upright_letter_stays_upright() -> None:
    letters = [
        (node.text, node.get("mathvariant")) for node in ET.fromstring(mathml(r"\mathrm{d}W")).iter() if node.text
    ]
    assert letters == [("d", "normal"), ("W", None)]


@pytest.mark.parametrize("latex", ["a < b & c", r"\text{<script>alert(1)</script>}"])
def test_markup_in_a_formula_is_text(latex: str) -> None:
    assert "<script" not in mathml(latex)
    ET.fromstring(mathml(latex))


def test_a_formula_that_cannot_be_converted_is_shown_as_it_was_written() -> None:
    assert mathml("<x^") == "<code>&lt;x^</code>"
