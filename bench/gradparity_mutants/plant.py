"""Plant a bug in one line of any hand derivation, by changing what that line writes to ``c`` or ``d``."""

from collections import Counter, UserDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from gradparity.protocol import Array, Batch, HandDerivation, Key, Params
from gradparity.recording import Gradients, name_of

Symbol = Literal["c", "d"]
Named: TypeAlias = dict[str, Array]
Keyed: TypeAlias = dict[Key, Array]


@dataclass(frozen=True)
class PlantSite:
    """A line at the moment it is written, with what it was computed from."""

    hand: HandDerivation
    symbol: Symbol
    key: Key
    """The line's name; in a loop with the pass."""
    share: int
    """Which of the line's shares this is: 0, except where ``add`` writes it more than once."""
    p: Params
    batch: Batch
    c: Keyed
    """What the forward pass has written so far, right."""
    d: Keyed
    """What the backward pass has written so far, right."""
    read: tuple[Array, ...]
    """The arrays read from ``c`` (in a forward line) or ``d`` so far, the last one last."""

    def again(
        self, *, p: Params | None = None, batch: Batch | None = None, c: Keyed | None = None, d: Keyed | None = None
    ) -> Array:
        """Compute the same share of the same line from other inputs."""
        p = self.p if p is None else p
        batch = self.batch if batch is None else batch
        c = self.c if c is None else c
        if self.symbol == "c":
            written = FedLine(c)
            self.hand.forward(p, batch, written)
        else:
            written = FedLine(self.d if d is None else d)
            self.hand.backward(p, batch, c, written)
        return written.shares[self.key][self.share]


Change: TypeAlias = Callable[[Array, PlantSite], Array | None]
"""What a bug makes of a line's value; None where the line's shape does not allow the bug."""


class FedLine(dict[Key, Array]):
    """``c`` or ``d`` for one line's sake: reads are answered from what is given, writes are kept share by share."""

    def __init__(self, given: Keyed) -> None:
        super().__init__(given)
        self._given = given
        self.shares: dict[Key, list[Array]] = {}

    def __setitem__(self, name: Key, value: Array) -> None:
        self.shares[name] = [value]
        if name not in self._given:
            super().__setitem__(name, value)

    def add(self, name: Key, value: Array) -> None:
        """Keep one share."""
        self.shares.setdefault(name, []).append(value)
        if name not in self._given:
            super().__setitem__(name, sum(self.shares[name]))


class Watched(UserDict[Key, Array]):
    """``c`` or ``d`` with a bug: hands every read and write on to ``outer``, the value of one line changed."""

    def __init__(self, outer: Any, name: str, change: Callable[["Watched", Key, Array], Array | None]) -> None:
        self.data = self._outer = outer
        self._name = name
        self._change = change
        self.clean: Keyed = {}
        self.share: Counter[Key] = Counter()
        self.read: tuple[Array, ...] = ()

    def __getitem__(self, name: Key) -> Array:
        value = self._outer[name]
        self.read += (value,)
        return value

    def __setitem__(self, name: Key, value: Array) -> None:
        self._outer[name] = self._changed(name, value)
        self.clean[name] = value

    def add(self, name: Key, value: Array) -> None:
        """Hand one share on."""
        self._outer.add(name, self._changed(name, value))
        self.clean[name] = self.clean[name] + value if name in self.clean else value

    def _changed(self, key: Key, value: Array) -> Array:
        if name_of(key) != self._name:
            return value
        changed = self._change(self, key, value)
        self.share[key] += 1
        if changed is None:
            return value
        # A plain number stays one: as an array of float64 it would change the dtype of what is computed from it.
        return float(changed) if type(value) is float else np.asarray(changed, dtype=value.dtype)


def plant(hand: HandDerivation, symbol: Symbol, name: str, change: Change) -> HandDerivation:
    """Return the derivation with the result of one line changed, in every pass of a loop, wherever it runs on NumPy."""

    def watch(outer: Any, p: Params, batch: Batch, c: Keyed | None) -> Watched:
        def at(watched: Watched, key: Key, value: Array) -> Array | None:
            before: tuple[Keyed, Keyed] = ({**watched.clean}, {}) if c is None else (c, {"loss": 1.0, **watched.clean})
            return change(value, PlantSite(hand, symbol, key, watched.share[key], p, batch, *before, watched.read))

        return Watched(outer, name, at)

    def forward(p: Params, batch: Batch, c: Any) -> None:
        hand.forward(p, batch, watch(c, p, batch, None) if symbol == "c" else c)

    def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
        hand.backward(p, batch, c, watch(d, p, batch, dict(c)) if symbol == "d" else d)

    return HandDerivation(forward, backward)


def chain(hand: HandDerivation, p: Params, batch: Batch) -> tuple[Keyed, Keyed]:
    """Run forward and backward as training does; return what was written to ``c`` and ``d``."""
    c: Keyed = {}
    d = Gradients(loss=1.0)
    hand.forward(p, batch, c)
    hand.backward(p, batch, c, d)
    return c, d


def shares(hand: HandDerivation, p: Params, batch: Batch) -> dict[tuple[Symbol, str], int]:
    """Return every line that the derivation writes, in order, and in how many shares."""
    c, d = FedLine({}), FedLine({"loss": 1.0})
    hand.forward(p, batch, c)
    hand.backward(p, batch, c, d)
    sides: dict[Symbol, FedLine] = {"c": c, "d": d}
    found: Counter[tuple[Symbol, str]] = Counter()
    for symbol, fed in sides.items():
        for key, written in fed.shares.items():
            found |= Counter({(symbol, name_of(key)): len(written)})
    return dict(found)
