import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradparity.drawing import words

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


def test_zero_has_no_sign() -> None:
    assert words.scientific(-0.0) == words.entry(-0.0) == "0"


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


@pytest.mark.fault(kind="words")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("h[t]", "h[t]"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("a\rb", "a\\rb"),
        ("x\u202ey", "x\\u202ey"),
        ("a\nb é", "a\nb é"),
    ],
)
def test_what_would_steer_a_terminal_can_only_be_read(name: str, shown: str) -> None:
    assert words.visible(name) == shown
