"""Numbers as they are read, and words joined to a sentence."""

import math
import re
from collections.abc import Iterable

_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, changes its colours or turns its text around; a new line is only a new line."""
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scientific(x: float) -> str:
    """Write a number as 4.4×10⁻¹⁷; zero and infinity as such."""
    if x == 0 or math.isnan(x):
        return f"{x:z.0f}"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    digits, exponent = f"{x:.1e}".split("e")
    return f"{digits.replace('-', '−')}×10{power(int(exponent))}"


def number(x: float) -> str:
    """Write a number of everyday size as 0.71, any other as 7.1×10⁻⁵."""
    return f"{x:.2g}" if 0.001 <= x < 100 else scientific(x)


def entry(x: float | None) -> str:
    """Write one entry of an array to six digits, as 0.0174801 or −1.75×10⁻⁵; a dash where there is no number."""
    if x is None:
        return "—"
    digits, _, exponent = f"{x:z.6g}".replace("-", "−").partition("e")
    return f"{digits}×10{power(int(exponent.replace('−', '-')))}" if exponent else digits


def shape(sizes: Iterable[int]) -> str:
    """Write a shape as 11 × 5; () is a scalar."""
    return " × ".join(map(str, sizes)) or "scalar"


def power(exponent: int) -> str:
    """Write an exponent in superscript digits."""
    return str(exponent).translate(_SUPERSCRIPT)


def percent(share: float) -> str:
    """Write a share of a budget; above tenfold its exact size says no more."""
    if share > 10:
        return "> 1000%"
    if 0 < share < 0.001:
        return "< 0.1%"
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def listing(words: Iterable[str]) -> str:
    """Join words as "a", "a and b", "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def visible(text: str) -> str:
    """Write what would steer a terminal as an escape, so that a name can only be read."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
