import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.comparison import Comparison
from gradparity.data import Dataset
from gradparity.report.page import words

MakeComparison = Callable[..., Comparison]

_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


@pytest.mark.parametrize(
    ("x", "expected"),
    [(0.0, "0"), (4.44e-17, "4.4×10⁻¹⁷"), (-6e-9, "−6.0×10⁻⁹"), (math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "nan")],
)
def test_scientific_writes_powers_of_ten(x: float, expected: str) -> None:
    assert words.scientific(x) == expected


@given(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_scientific_keeps_two_digits_of_every_number(x: float) -> None:
    digits, exponent = words.scientific(x).translate(_DIGITS).split("×10")
    assert float(f"{digits}e{exponent}") == float(f"{x:.1e}")


@pytest.mark.parametrize(("x", "expected"), [(0.7143, "0.71"), (7.1e-5, "7.1×10⁻⁵"), (0.0, "0")])
def test_number_writes_everyday_sizes_plainly(x: float, expected: str) -> None:
    assert words.number(x) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "0%"),
        (0.0004, "< 0.1%"),
        (0.032, "3.2%"),
        (0.5, "50%"),
        (1.5, "150%"),
        (11.0, "> 1000%"),
        (math.inf, "> 1000%"),
    ],
)
def test_percent_of_a_budget(share: float, expected: str) -> None:
    assert words.percent(share) == expected


def test_listing_joins_with_commas_and_and() -> None:
    assert [words.listing(ws) for ws in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_agreement_is_one_sentence(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy", "jax", "torch")).report
    assert words.headline(report) == f"3 backends agree on all {len(report.rows)} comparisons."
    assert words.accusations(report) == []


def test_one_backend_agrees_with_its_witnesses(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("numpy",)).report
    assert words.headline(report).startswith("numpy agrees with jax and torch on all ")


def test_a_disagreement_names_backend_witnesses_and_line_once(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, wrong=[("numpy", "W")]).report
    assert words.headline(report) == f"4 of {len(report.rows)} comparisons disagree."
    assert words.accusations(report) == ["numpy disagrees with jax and torch on the gradient of W."]


def test_a_disagreement_in_one_lane_names_the_lane(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, wrong=[("numpy", "W")]).report
    only = replace(report, rows=tuple(r for r in report.rows if r.lane == "float32" and r.witness == "jax"))
    assert words.accusations(only) == ["numpy disagrees with jax on the gradient of W, in float32 only."]


def test_no_comparison_is_no_agreement(make_comparison: MakeComparison, images: Dataset) -> None:
    report = make_comparison(images, backends=("jax",), witnesses=("jax",)).report
    assert words.headline(report).startswith("Nothing was compared")
