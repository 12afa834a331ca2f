"""One factor that is wrong everywhere: nothing, the sign, n, a number of columns, 2, or any other number."""

from collections.abc import Iterator
from math import prod, sqrt
from typing import NamedTuple

import numpy as np

from gradparity.parity.diagnosis.evidence import Discrepancy, Evidence
from gradparity.parity.diagnosis.words import apart, is_not, noun
from gradparity.parity.norms import norm


class Factor(NamedTuple):
    """A factor that has a likely reason."""

    value: float
    what: str
    reason: str


def known_factor(error: Discrepancy) -> str | None:
    """array = k · expected for a k that has a name."""
    e = error.evidence
    if e.vanishes:
        return None
    if norm(error.array) <= e.limit * e.scale:
        return "is zero up to rounding" if error.array.any() else "is all zero"
    if error.agree(error.array, -error.expected):
        return "has the wrong sign"
    for factors in (_counts(e), _roots(e)):
        for sign, start in ((1, "is"), (-1, "has the wrong sign and is")):
            matches = [f for f in factors if error.agree(error.array, sign * f.value * error.expected)]
            if matches:
                return f"{start} " + "; or ".join(f"{f.what}: {f.reason}" for f in matches)
    upstream = {read: float(e.terms[read].item()) for read in e.reads if read in e.terms and e.terms[read].size == 1}
    forgotten = [read for read, g in upstream.items() if g != 1 and error.agree(g * error.array, error.expected)]
    if forgotten:
        return f"lacks the factor {forgotten[0]}: the upstream gradient is left out"
    numbers = [f for f in _scalars(e) if error.agree(error.array, f.value * error.expected)]
    return f"is {numbers[0].what}: {numbers[0].reason}" if numbers else None


def constant_factor(error: Discrepancy) -> str | None:
    """array = k · expected for any other k."""
    e = error.evidence
    if e.vanishes:
        return None
    scale = norm(error.expected)
    k = float(np.vdot(error.array / scale, error.expected / scale))
    text, _ = apart(k, 1.0)
    if error.expected.size == 1:
        at = (0,) * error.expected.ndim
        return f"is {text} times the right value: {is_not(error.array, error.expected, at)}"
    return (
        f"is {text} times the right value everywhere" if error.agree(error.array, k * error.expected, free=1) else None
    )


def _counts(e: Evidence) -> list[Factor]:
    """n, how many rows, columns and entries there are, and 2; each as a factor and as a divisor."""
    found = []
    for size, (name, seen, mean) in _sizes(e).items():
        found += [
            Factor(size, f"{name} times too large ({seen})", f"{mean} is missing here or applied twice elsewhere"),
            Factor(1 / size, f"{name} times too small ({seen})", f"{mean} is applied twice here or missing elsewhere"),
        ]
    half = "a ½ is missing, or a share is counted twice"
    double = "the 2 of a square's derivative is missing, or a ½ is applied twice"
    return [*found, Factor(2, "2 times too large", half), Factor(1 / 2, "2 times too small", double)]


def _roots(e: Evidence) -> list[Factor]:
    """√n and n/(n − 1), and the same for the other counts; and n − 1."""
    found = []
    if e.n > 2:
        found.append(Factor(1 / (e.n - 1), f"n − 1 times too small (n = {e.n})", "as if divided by n − 1 once more"))
    for size, (name, seen, _) in _sizes(e).items():
        root = sqrt(size)
        missing, doubled = "is missing here or applied twice elsewhere", "is applied twice here or missing elsewhere"
        found += [
            Factor(root, f"√{name} times too large ({seen})", f"1/√{name} {missing}"),
            Factor(1 / root, f"√{name} times too small ({seen})", f"1/√{name} {doubled}"),
        ]
        if size > 2:
            larger, smaller = f"{name}/({name} − 1)", f"({name} − 1)/{name}"
            right = f"times the right value ({seen})"
            found += [
                Factor(size / (size - 1), f"{larger} {right}", f"as if divided by {name} − 1 where {name} belongs"),
                Factor((size - 1) / size, f"{smaller} {right}", f"as if divided by {name} where {name} − 1 belongs"),
            ]
    return found


def _scalars(e: Evidence) -> list[Factor]:
    """The single numbers among the named arrays, such as a temperature, each as a factor and as a divisor."""
    numbers = {name: float(a.item()) for name, a in e.terms.items() if a.size == 1 and a.dtype.kind == "f"}
    found = []
    for name, value in numbers.items():
        if value in (0.0, 1.0, -1.0) or not np.isfinite(value):
            continue
        for power, raised in ((1, name), (2, f"{name}²")):
            k = abs(value**power)
            found += [
                Factor(k, f"{raised} times the right value", "divide by it, or leave out a factor"),
                Factor(1 / k, f"1/{raised} times the right value", "multiply by it, or leave out a division"),
            ]
    return found


def _sizes(e: Evidence) -> dict[int, tuple[str, str, str]]:
    """Each count above 1: what it is called, where it is seen, and the mean that divides by it."""
    sizes = {e.n: ("n", f"n = {e.n}", "the mean's 1/n")}
    shapes = {"it": e.expected.shape} | {term: a.shape for term, a in e.terms.items()}
    for owner, shape in shapes.items():
        for size, what in _lengths(shape):
            sizes.setdefault(size, (str(size), f"{owner} has {size} {what}", "a mean over them"))
    sizes.pop(1, None)
    return sizes


def _lengths(shape: tuple[int, ...]) -> Iterator[tuple[int, str]]:
    for axis in reversed(range(len(shape))):
        yield shape[axis], noun(axis, len(shape))
    yield prod(shape), "entries"
