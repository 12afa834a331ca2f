"""One entry of each line, followed through both passes: the numbers that meet there, and the number that leaves.

Forwards an entry is made of some entries of what the line reads. Backwards its gradient is the sum, over the lines that
read it, of upstream gradient × local derivative. Both are found from the hand-written forward pass alone, each line fed
the witness's numbers, by moving what it reads: no derivative is taken by anyone, so the sum is evidence.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gradparity.explain.forward_lines import Array, ForwardLines, Named, Part, Parts, Place
from gradparity.parity.norms import typical_size

SHOWN = 8
"""Numbers of one operand, and shares of one gradient, that are shown one by one."""
FINENESS = 2.0**-8, 2.0**-18
"""The largest of three steps, of the size of the entry; the second where a kink is within the first."""
RATIO = 4
FITS = 1e-6
"""How well a sum of shares must be the gradient, for the shares to be told: differences are no more exact."""
SAME = 1e-9
DULL = 1e-6
"""What an entry counts less that nothing moves, such as a masked one."""


@dataclass(frozen=True)
class Operand:
    """The part of an array that one entry is made of."""

    source: str
    part: str
    """As NumPy's indices: ``[3, :]``; empty for a scalar."""
    entries: tuple[float, ...]
    """The first few of the part, in order."""
    size: int
    """How many entries the part has."""


@dataclass(frozen=True)
class Share:
    """What one entry that was computed from this one hands back to it."""

    line: str
    place: Place
    upstream: float
    """∂L/∂(that entry)."""
    local: float
    """∂(that entry)/∂(this one), by differences."""
    same_as: str
    """Where the local derivative is another number of the same line: ``W2[3, 1]``; empty where it is not."""


@dataclass(frozen=True)
class Followed:
    """One entry of a line, forwards and backwards."""

    place: Place
    value: float
    operands: tuple[Operand, ...]
    rule: str
    """How the operands make the value, where that is one of "sum", "product", "sum of products"; otherwise empty."""
    gradient: float | None
    """The witness's; None where there is none."""
    by_hand: float | None
    shares: tuple[Share, ...]
    """The largest ones, that of the followed entry of a line first."""
    rest: float
    """What the shares that are not among them come to."""
    others: int
    """How many those are."""
    carried: Mapping[str, float]
    """Line -> what all its shares come to."""


def followed(lines: ForwardLines, order: Sequence[str], by_hand: Named) -> dict[str, Followed]:
    """Follow one entry of every name in ``order``, that of the forward pass, and of what is given.

    Going back from the loss, the entry of a name is one that a followed entry of a reader is made of.
    """
    parts = Parts(lines)
    places: dict[str, Place] = {}
    for name in [*reversed(order), *lines.given]:
        places[name] = _chosen(lines, name, places, parts)
    shares = _shares(lines, places)
    return {name: _followed(lines, name, places, parts, shares.get(name), by_hand) for name in order}


def _followed(
    lines: ForwardLines,
    name: str,
    places: Mapping[str, Place],
    parts: Parts,
    shares: "_Sum | None",
    by_hand: Named,
) -> Followed:
    place = places[name]
    value = float(lines.arrays[name][place])
    operands = {source: parts.of(name, place, source) for source in lines.reads.get(name, ())}
    numbers = [lines.arrays[source][np.ix_(*part)].ravel() for source, part in operands.items()]
    gradient, own = lines.gradients.get(name), by_hand.get(name)
    listed = [] if shares is None else shares.listed(places)
    return Followed(
        place,
        value,
        tuple(
            Operand(source, _text(part, lines.arrays[source].shape), tuple(map(float, found[:SHOWN])), found.size)
            for (source, part), found in zip(operands.items(), numbers, strict=True)
        ),
        _rule(value, numbers),
        None if gradient is None else float(gradient[place]),
        None if own is None or own.shape != lines.arrays[name].shape else float(own[place]),
        tuple(listed[:SHOWN]),
        float(sum(share.upstream * share.local for share in listed[SHOWN:])),
        len(listed[SHOWN:]),
        {
            line: float(sum(share.upstream * share.local for share in listed if share.line == line))
            for line in dict.fromkeys(share.line for share in listed)
        },
    )


def _chosen(lines: ForwardLines, name: str, places: Mapping[str, Place], parts: Parts) -> Place:
    """Choose an entry that the followed entry of a reader is made of: the one with the largest |value × gradient|."""
    array = lines.arrays[name]
    size = np.abs(array * lines.gradients.get(name, np.ones(()))) * np.where(parts.moving(name), 1, DULL)
    for reader in lines.readers(name):
        if reader in places and reader != name:
            part = parts.of(reader, places[reader], name)
            within = np.unravel_index(int(np.argmax(size[np.ix_(*part)])), tuple(map(len, part)))
            return tuple(indices[i] for indices, i in zip(part, map(int, within), strict=True))
    return tuple(map(int, np.unravel_index(int(np.argmax(size)), array.shape))) if array.ndim else ()


@dataclass(frozen=True, eq=False)
class _Sum:
    """A gradient's entry as the sum of its shares."""

    shares: list[Share] = field(default_factory=list)

    def fits(self, gradient: float) -> bool:
        products = [share.upstream * share.local for share in self.shares]
        return abs(sum(products) - gradient) <= FITS * max(abs(gradient), *map(abs, products), 0.0)

    def listed(self, places: Mapping[str, Place]) -> list[Share]:
        """Put the followed entries first, then the largest."""
        return sorted(
            self.shares,
            key=lambda share: (places.get(share.line) != share.place, -abs(share.upstream * share.local)),
        )


def _shares(lines: ForwardLines, places: Mapping[str, Place]) -> dict[str, _Sum]:
    """Return the shares of each followed entry whose sum is its gradient.

    They are not where the forward pass goes on with what is no name's, or an entry is right at a kink.
    """
    found: dict[str, _Sum] = {}
    for fineness in FINENESS:
        for group in lines.apart():
            wanted = [name for name in group if name in lines.gradients and name not in found]
            for name, sum_ in _measured(lines, {name: places[name] for name in wanted}, fineness):
                if sum_.fits(float(lines.gradients[name][places[name]])):
                    found[name] = sum_
    return found


def _measured(lines: ForwardLines, places: Mapping[str, Place], fineness: float) -> Iterator[tuple[str, _Sum]]:
    """Move every entry of a group at once, and yield the shares of each."""
    size = {
        name: max(abs(float(lines.arrays[name][at])), typical_size(lines.arrays[name])) for name, at in places.items()
    }

    def at(t: float) -> dict[str, Array]:
        return lines.moved({name: _nudged(lines.arrays[name], place, t * size[name]) for name, place in places.items()})

    steps = [fineness / RATIO**i for i in range(3)]
    sides = [(at(h), at(-h)) for h in steps]
    for name in places:
        shares: list[Share] = []
        for line in lines.readers(name):
            if line in lines.gradients:
                slopes = [
                    np.asarray((up[line] - down[line]) / (2 * h * size[name]))
                    for h, (up, down) in zip(steps, sides, strict=True)
                ]
                shares += _of_line(lines, name, line, _extrapolated(slopes))
        yield name, _Sum(shares)


def _nudged(array: Array, place: Place, step: float) -> Array:
    changed = array.copy()
    changed[place] += step
    return changed


def _extrapolated(quotients: Sequence[Array]) -> Array:
    """Remove the first two powers of h² from central differences, as ``parity.derivative.central`` does."""
    first, second, third = quotients
    upper, lower = ((RATIO**2 * b - a) / (RATIO**2 - 1) for a, b in ((first, second), (second, third)))
    return np.asarray((RATIO**4 * lower - upper) / (RATIO**4 - 1))


def _of_line(lines: ForwardLines, name: str, line: str, local: Array) -> Iterator[Share]:
    upstream = lines.gradients[line]
    if local.shape != upstream.shape:
        return
    least = SAME * float(np.max(np.abs(local), initial=0.0))
    for index in np.argwhere(np.abs(local) > least):
        place = tuple(map(int, index))
        number = float(local[place])
        yield Share(line, place, float(upstream[place]), number, _same_as(lines, name, line, number))


def _same_as(lines: ForwardLines, name: str, line: str, number: float) -> str:
    """Say which other number of the line a local derivative is, so that one need not believe it."""
    if number == round(number):
        return ""
    for source in [*lines.reads[line], line]:
        array = lines.arrays[source]
        if source != name and array.dtype.kind == "f":
            hits = np.argwhere(np.abs(array - number) <= SAME * abs(number))
            if len(hits) == 1:
                return source + _index(map(str, hits[0]))
    return ""


def _rule(value: float, numbers: Sequence[Array]) -> str:
    """Say how the operands make the value, where simple arithmetic does."""
    if not numbers or any(found.dtype.kind != "f" for found in numbers):
        return ""
    single = [float(found[0]) for found in numbers if found.size == 1]
    lists = sorted((found for found in numbers if found.size > 1), key=np.size)
    pairs = list(zip(lists[::2], lists[1::2], strict=False))
    ways: dict[str, Callable[[], float]] = {}
    if len(numbers) > 1 and not lists:
        ways = {"sum": lambda: sum(single), "product": lambda: float(np.prod(single))}
    elif pairs and len(lists) == 2 * len(pairs) and all(a.size == b.size for a, b in pairs):
        ways = {"sum of products": lambda: sum(float(a @ b) for a, b in pairs) + sum(single)}
    return next((way for way, made in ways.items() if abs(made() - value) <= SAME * max(abs(value), 1e-300)), "")


def _text(part: Part, shape: Sequence[int]) -> str:
    return _index(_axis(indices, size) for indices, size in zip(part, shape, strict=True))


def _index(indices: Iterable[str]) -> str:
    joined = ", ".join(indices)
    return f"[{joined}]" if joined else ""


def _axis(indices: Sequence[int], size: int) -> str:
    """Write the indices of an axis as NumPy would: ``:``, ``3``, ``1:4``, or one by one."""
    first, last = indices[0], indices[-1]
    if len(indices) == 1:
        return str(first)
    if len(indices) == size:
        return ":"
    return f"{first}:{last + 1}" if len(indices) == last + 1 - first else "{" + ", ".join(map(str, indices)) + "}"
