"""bfloat16 and float16: a rule is held against what the library's own plain code makes of the same numbers.

Eight or eleven bits leave so much to rounding that no limit can be told from the mathematics alone: a sum is as exact
as the order in which it is taken. What a kernel must not be is much worse than the plain function, differentiated by
the library in the same dtype. Both errors are measured against the float64 truth at several numbers near each other,
all of which the dtype can hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gradparity.parity.judge import TOO_LOOSE
from gradparity.parity.norms import ZERO, distance, norm, typical_size
from gradparity.parity.rows import Kind, Row, Short, Unchecked
from gradparity.protocol import Trace

BITS: dict[Short, int] = {"bfloat16": 8, "float16": 11}
"""Of the significand, with the one that is not stored."""
MULTIPLE = 4
"""A rule may err by this many times what the plain code errs by."""
DRAWS = 8
ROUNDED_ONCE = 12**-0.5
"""The root-mean-square error of rounding a number to the nearest, in units of the last place: nobody errs by less."""


class ShortDraw(NamedTuple):
    """Values and gradients from the same numbers, as NumPy arrays in float32 or float64."""

    truth: Trace
    """In float64."""
    plain: Trace
    own: Trace


class Compared(NamedTuple):
    """What a lane has found, and what is to be said of each line that agrees."""

    rows: list[Row]
    unchecked: list[Unchecked]
    remarks: list[str]


def rounded(a: np.ndarray, lane: Short) -> np.ndarray:
    """Round real numbers to the nearest that the dtype has, in float64; anything else stays."""
    if a.dtype.kind != "f":
        return a
    if lane == "float16":
        return a.astype(np.float16).astype(np.float64)
    fraction, exponent = np.frexp(a)
    return np.asarray(np.ldexp(np.rint(np.ldexp(fraction, BITS[lane])), exponent - BITS[lane]))


def compared(
    backend: str,
    witness: str,
    library: str,
    lane: Short,
    draws: Sequence[ShortDraw],
    close: str,
    own_forward: bool,
    rtol: float = 0.0,
) -> Compared:
    """Judge every line by what the plain code errs by, or by ``rtol`` where that is more.

    ``close`` is the assertion to which the printed rtol and atol belong.
    """
    found = Compared([], [], [])
    plain_code = f"plain {library} in {lane}"
    for kind, line, lines in _lines(draws, own_forward):
        name = f"y{line.removeprefix('output')}" if kind == "value" else f"d{line}"
        plain = max(_error(lines, "plain"), ROUNDED_ONCE * ulp(lane))
        limit = max(MULTIPLE * plain, rtol)
        if not limit <= TOO_LOOSE:
            too_much = "is NaN or infinite" if plain == float("inf") else f"errs by {plain:.1g} itself"
            found.unchecked.append(Unchecked(f"{name} in {lane}", backend, f"{plain_code} {too_much} at these numbers"))
            continue
        error = _error(lines, "own")
        said = f"{name} has {error / plain:.1f} times the error of {plain_code}"
        wrong = f"{said}, and up to {MULTIPLE} times is rounding: a sum is taken in {lane}, or a cast is missing"
        row = Row(line, kind, backend, witness, lane, error, limit, diagnosis="" if error <= limit else wrong)
        found.rows.append(row)
        if row.agrees:
            relative, absolute = tolerances(lines, lane)
            asserted = f"{close}(…, rtol={relative:.2g}, atol={absolute:.2g})"
            found.remarks.append(f"{said}; a bug below {limit:.1%} is invisible here: {asserted}")
    return found


def ulp(lane: Short) -> float:
    """Return the distance from 1 to the next larger number of the dtype."""
    return float(2.0 ** (1 - BITS[lane]))


class _ShortLine(NamedTuple):
    """One line of one draw."""

    truth: np.ndarray
    plain: np.ndarray
    own: np.ndarray
    scale: float
    """What an error is relative to."""


def _lines(draws: Sequence[ShortDraw], own_forward: bool) -> Iterator[tuple[Kind, str, list[_ShortLine]]]:
    kinds: list[tuple[Kind, str]] = [*([("value", "values")] if own_forward else []), ("gradient", "gradients")]  # type: ignore[list-item]
    for kind, part in kinds:
        for line, right in getattr(draws[0].truth, part).items():
            if right.dtype.kind == "f":
                yield kind, line, [_line(draw, part, line) for draw in draws]


def _line(draw: ShortDraw, part: str, line: str) -> _ShortLine:
    every: Mapping[str, np.ndarray] = getattr(draw.truth, part)
    truth = every[line]
    largest = max(map(norm, every.values()))
    size = norm(truth)
    nothing = np.full(truth.shape, np.nan)
    plain, own = (getattr(trace, part).get(line, nothing) for trace in (draw.plain, draw.own))
    return _ShortLine(truth, plain, own, size if size > ZERO * largest else largest)


def _error(lines: Sequence[_ShortLine], which: str) -> float:
    """Return the root mean square of the relative errors of all draws."""
    errors = np.array([distance(getattr(line, which), line.truth) / (line.scale or 1.0) for line in lines])
    return float(np.sqrt(np.mean(errors**2)))


def tolerances(lines: Sequence[_ShortLine], lane: Short) -> tuple[float, float]:
    """Return rtol and atol with which every entry of a right rule is close to the float64 truth.

    A unit in the last place of the entry; and several times what the plain code errs by in any entry.
    """
    worst = max(float(np.max(np.abs(line.plain - line.truth), initial=0.0)) for line in lines)
    once = ROUNDED_ONCE * ulp(lane) * max(typical_size(line.truth) for line in lines)
    return ulp(lane), MULTIPLE * max(worst, once)
