"""A run in which each gradient is recorded as the code computes it, and goes on as the witness has it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from gradparity.parity.norms import relative_error
from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.lines import GradientLine, before
from gradparity.subjects.plain.recorder import Event, Key, Observed
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.unit import Unit
from gradparity.subjects.plain.variables import Variable, Writing

SAME = 1e-6
"""Closer than that, what was written is the gradient that it is compared with: which one, not how well."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A gradient that was written, complete, and what it is the gradient of."""

    line: GradientLine
    writing: Writing
    of: Variable
    value: np.ndarray


@dataclass(eq=False)
class Fed:
    """What a run beside a witness found."""

    judged: list[Judged] = field(default_factory=list)
    loose: list[tuple[Writing, np.ndarray]] = field(default_factory=list)
    """What is written complete and paired with nothing, as this run computed it."""
    instead: Mapping[Key, Variable] = field(default_factory=dict)
    """What was paired without a name that says so."""
    shares: Mapping[Key, Variable] = field(default_factory=dict)
    """What has the name of a whole gradient and is one share of it: where it is written -> of what."""


@dataclass(eq=False)
class Feeding:
    """Everything that such runs share."""

    unit: Unit
    source: Source
    recording: Recording
    lines: list[GradientLine]
    loose: list[Writing]
    tries: int = 0
    """Pairings that were tried so far to explain wrong lines."""

    def run(
        self,
        truth: Mapping[int, np.ndarray],
        instead: Mapping[Key, Variable],
        watch: Callable[[Event], None] = lambda _: None,
        shares: Mapping[Key, Variable] = MappingProxyType({}),
    ) -> Fed:
        """Run beside a witness, whose gradients are given by the number of their variable.

        ``instead`` pairs what has no name of a gradient, ``shares`` go on as the code has them; ``watch`` is told each
        event. Raises what the code raises.
        """
        fed = Fed(instead=instead, shares=shares)
        targets = {id(line): None if line.keys[-1] in shares else line.target for line in self.lines}
        of_key = {writing.key: (line, i) for line in self.lines for i, writing in enumerate(line.writings)}
        loose = {writing.key: writing for writing in self.loose}

        def on(event: Event) -> Any:
            value = event.value
            watch(event)
            if event.key in of_key:
                line, i = of_key[event.key]
                return self._line(fed, line, i, targets, value, truth, instead)
            if event.key in instead:
                variable = instead[event.key]
                fed.judged.append(
                    _judged(GradientLine([loose[event.key]], variable), loose[event.key], variable, value)
                )
                return _like(value, truth[variable.number])
            if event.key in loose:
                fed.loose.append((loose[event.key], _own(value)))
            return value

        self.unit.run(Observed(self.source, on))
        return fed

    def _line(
        self,
        fed: Fed,
        line: GradientLine,
        i: int,
        targets: dict[int, Variable | None],
        value: Any,
        truth: Mapping[int, np.ndarray],
        instead: Mapping[Key, Variable],
    ) -> Any:
        target, writing = targets[id(line)], line.writings[i]
        if writing.key in instead:
            target = targets[id(line)] = instead[writing.key]
        right = None if target is None else truth.get(target.number)
        last = i == len(line.writings) - 1
        following = "" if last else _turn(line.writings[i + 1])
        if target is not None and right is None and last:
            fed.judged.append(_judged(line, writing, target, value))
            return value
        if right is None or target is None:
            if last or following:
                fed.loose.append((writing, _own(value)))
            return value
        if last and i and not _same(value, right):
            target = next(
                (v for v in self._made_from(target) if v.number in truth and _same(value, truth[v.number])), target
            )
            right = truth[target.number]
        masked = following == "mask" and before(self.recording, target) is not None
        if not (last or masked or (following and _same(value, right))):
            return value
        fed.judged.append(_judged(line, writing, target, value))
        if not last:
            targets[id(line)] = before(self.recording, target)
        return _like(value, right)

    def _made_from(self, variable: Variable) -> Iterator[Variable]:
        """Yield what a variable was made from, step by step: several steps may be undone in another order."""
        earlier = before(self.recording, variable)
        while earlier is not None:
            yield earlier
            earlier = before(self.recording, earlier)


def _judged(line: GradientLine, writing: Writing, of: Variable, value: Any) -> Judged:
    own = _own(value)
    return Judged(line, writing, of, own.reshape(of.value.shape) if same_but_ones(own, of.value) else own)


def _turn(writing: Writing) -> str:
    """Say how a writing may make one gradient into that of something before it: d[z < 0] = 0, d *= 1 - a ** 2."""
    site = writing.site
    return site.how if site.how in ("mask", "*=") or (site.itself and site.how == "=") else ""


def same_but_ones(value: Any, right: np.ndarray) -> bool:
    """Whether a shape lacks, or has besides, only axes of length 1 in front, which broadcasting adds."""
    return _without_ones(np.shape(value)) == _without_ones(right.shape)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def _own(value: Any) -> np.ndarray:
    return np.array(value, dtype=np.float64)


def _same(value: Any, right: np.ndarray) -> bool:
    return relative_error(_own(value), right) <= SAME


def _like(value: Any, right: np.ndarray) -> Any:
    """Return the witness's numbers as the code had its own, an array or a number; what has another shape goes on."""
    if np.shape(value) != right.shape:
        return right.reshape(np.shape(value)) if same_but_ones(value, right) else value
    if isinstance(value, np.ndarray):
        return right.astype(value.dtype)
    return np.float64(right.item()) if right.ndim == 0 else right
