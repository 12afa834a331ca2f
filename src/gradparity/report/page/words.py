"""Numbers and verdicts in words."""

import math
from collections.abc import Iterable, Sequence

from gradparity.parity import Report, Row
from gradparity.parity.training_parity import TrainingParity
from gradparity.protocol import Dtype

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scientific(x: float) -> str:
    """Write a number as 4.4×10⁻¹⁷; zero and infinity as such."""
    if x == 0 or math.isnan(x):
        return f"{x:.0f}"
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
    digits, _, exponent = f"{x:.6g}".replace("-", "−").partition("e")
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


def headline(report: Report, training: TrainingParity | None = None) -> str:
    """Say in one sentence whether the backends agree, in their gradients and where they were trained in that too."""
    total, failed = len(report.rows), len(report.disagreements)
    if total == 0:
        return f"Nothing was compared: {listing(report.backends)} has no other machine-derived gradient beside it."
    if failed:
        follow = len(report.consequences)
        more = f", and {follow} more follow from that" if follow else ""
        return f"{failed - follow} of {total} comparisons disagree{more}."
    if training is not None and not training.agrees:
        return f"All {total} comparisons of gradients agree, but training runs apart."
    if len(report.backends) == 1:
        return f"{report.backends[0]} agrees with {listing(report.witnesses)} on all {total} comparisons."
    return f"{len(report.backends)} backends agree on all {total} comparisons."


def accusations(report: Report) -> list[str]:
    """Say which backend disagrees with which on what: one sentence for each backend, lane and finding."""
    against: dict[tuple[str, tuple[Dtype, ...], tuple[str, ...]], list[str]] = {}
    for backend in report.backends:
        for witness in report.witnesses:
            rows = [r for r in report.disagreements if (r.backend, r.witness) == (backend, witness)]
            for lanes, findings in _findings(rows).items():
                against.setdefault((backend, lanes, tuple(findings)), []).append(witness)
    return [
        f"{backend} disagrees with {listing(witnesses)} on {listing(findings)}"
        + (f", in {lanes[0]} only." if len(lanes) == 1 else ".")
        for (backend, lanes, findings), witnesses in against.items()
    ]


def _findings(rows: Sequence[Row]) -> dict[tuple[Dtype, ...], list[str]]:
    """Name each wrong line once, under the lanes in which it is wrong."""
    lanes: dict[str, tuple[Dtype, ...]] = {}
    for row in rows:
        finding = f"the {row.kind} of {row.line}"
        lanes[finding] = (*lanes.get(finding, ()), row.lane)
    return {where: [f for f in lanes if lanes[f] == where] for where in dict.fromkeys(lanes.values())}
