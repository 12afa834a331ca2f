"""LaTeX formulas as one line of Unicode."""

import pytest

from gradparity.models import MLP, SoftmaxRegression
from gradparity.protocol import ModelSpec
from gradparity.report.cli.formulas import unicode


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


def test_what_is_not_latex_stays_as_it_is() -> None:
    assert unicode(r"x^1^2") == r"x^1^2"
