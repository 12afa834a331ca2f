from xml.etree import ElementTree as ET

import pytest

from gradparity.drawing.formulas import mathml, unicode
from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import ModelSpec

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


@pytest.mark.parametrize(
    ("latex", "line"),
    [
        (r"\mathrm{d}W = X^\top \mathrm{d}Z + \lambda W", "dW = Xᵀ dZ + λW"),
        (r"\mathrm{d}Z = \frac{1}{n}(P - Y), \quad P = \operatorname{softmax}(Z)", "dZ = 1/n (P − Y),  P = softmax(Z)"),
        (r"A_1 = \frac{1}{1 + e^{-Z_1}}", "A₁ = 1/(1 + e^(−Z₁))"),
        (r"R = \frac{\lambda}{2} \sum_{jk} W_{jk}^2", "R = λ/2 ∑ⱼₖ Wⱼₖ²"),
        (r"\mathrm{d}Z_1 = \mathrm{d}A_1 \odot [Z_1 > 0]", "dZ₁ = dA₁ ⊙ [Z₁ > 0]"),
        (r"\left( \log \sum_k e^{Z_{ik}} - Z_{i y_i} \right)", "(log ∑ₖ e^(Zᵢₖ) − Z_(iyᵢ))"),
        (r"\frac{1}{2} \sum_i \lVert (A_2)_i - Y_i \rVert^2", "1/2 ∑ᵢ‖(A₂)ᵢ − Yᵢ‖²"),
        (r"W_{10}^{a}", "W₁₀^a"),
        (r"\frac{1}{\sqrt{v + \epsilon}}", "1/(√(v + ϵ))"),
        (r"\sqrt{v} g", "√v g"),
    ],
)
def test_a_formula_reads_as_one_writes_it_by_hand(latex: str, line: str) -> None:
    assert unicode(latex) == line


def test_every_formula_of_the_built_in_models_is_converted() -> None:
    specs: list[ModelSpec] = [
        SoftmaxRegression(weight_decay=0.1),
        MLP(),
        MLP(activation="sigmoid", loss="squared_error"),
    ]
    for line in (line for spec in specs for line in spec.derivation):
        assert not set(unicode(line.forward) + unicode(line.backward)) & set("\\{}")


def test_what_is_not_latex_stays_as_it_is_in_a_line() -> None:
    assert unicode(r"x^1^2") == r"x^1^2"
