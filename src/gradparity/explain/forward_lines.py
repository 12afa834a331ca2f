"""The lines of a hand-written forward pass, each fed given numbers: what they write when these are others.

So the lines are apart: what moves one of them is only what itself reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from weakref import ref

import numpy as np
from jaxtyping import Bool, Shaped

from gradparity.errors import UsageError
from gradparity.parity.beside import FollowLocals
from gradparity.protocol import Batch, HandDerivation
from gradparity.recording import Recorder

Array: TypeAlias = Shaped[np.ndarray, "..."]
Mask: TypeAlias = Bool[np.ndarray, "..."]
Named: TypeAlias = Mapping[str, Array]
Place: TypeAlias = tuple[int, ...]
Slab: TypeAlias = tuple[slice | int, ...]
Part: TypeAlias = tuple[tuple[int, ...], ...]
"""Of each axis the indices that count."""


LONGEST = 64
"""Indices of an axis that are tried one by one; a longer axis counts as a whole."""


@dataclass(frozen=True, eq=False)
class ForwardLines:
    """A hand-written forward pass whose lines are fed given numbers."""

    hand: HandDerivation
    params: Named
    batch: Batch
    given: Named
    """``batch.x``, ``batch.y`` and the extras."""
    values: Named
    gradients: Named
    reads: Mapping[str, Sequence[str]]
    """Line -> what it is computed from."""

    @property
    def arrays(self) -> dict[str, Array]:
        """Everything that a line may read, by name."""
        return {**self.given, **self.params, **self.values}

    def moved(self, changed: Named) -> dict[str, Array]:
        """Return what each line writes where these names hold other numbers.

        Raises UsageError where the forward pass does not run on them.
        """
        p = {name: changed.get(name, value) for name, value in self.params.items()}
        extras = {name: changed.get(f"batch.extras['{name}']", value) for name, value in self.batch.extras.items()}
        batch = Batch(changed.get("batch.x", self.batch.x), changed.get("batch.y", self.batch.y), extras)
        fed = {**self.values, **{name: value for name, value in changed.items() if name in self.values}}
        given = [ref(array) for array in (*p.values(), batch.x, batch.y, *extras.values(), *fed.values())]
        c = Recorder("c", fed, follow=FollowLocals(given))
        try:
            with np.errstate(all="ignore"):
                self.hand.forward(p, batch, c)
        except Exception as error:  # whatever the user's code raises: it has just run on the numbers themselves
            raise UsageError(f"the forward pass does not run on other numbers: {error}") from error
        return c.written()

    def apart(self) -> list[list[str]]:
        """Group the names so that no line reads two of one group: those can be moved at once."""
        names = dict.fromkeys(name for sources in self.reads.values() for name in sources if name in self.arrays)
        groups: list[list[str]] = []
        for name in names:
            together = {other for sources in self.reads.values() if name in sources for other in sources}
            free = next((group for group in groups if not together.intersection(group)), None)
            if free is None:
                groups.append([name])
            else:
                free.append(name)
        return groups

    def readers(self, name: str) -> list[str]:
        """Return the lines that read this name."""
        return [line for line, sources in self.reads.items() if name in sources]


class Parts:
    """Which entries of a source an entry is made of, axis by axis: those that, moved, move it."""

    def __init__(self, lines: ForwardLines) -> None:
        self._shapes = {name: array.shape for name, array in lines.arrays.items()}
        # What is far from here has no entry that a zero, such as that of a ReLU, keeps from mattering.
        base = {name: _far(array) for name, array in lines.arrays.items() if array.dtype.kind == "f"}
        here = lines.moved(base)
        self._moves: dict[tuple[str, str, int, int], Mask] = {}
        for group in lines.apart():
            for axis, index in dict.fromkeys(slab for name in group for slab in _slabs(self._shapes[name])):
                names = [name for name in group if (axis, index) in _slabs(self._shapes[name])]
                slab: Slab = (*[slice(None)] * axis, index)
                moved = lines.moved(base | {name: _far(base.get(name, lines.arrays[name]), slab) for name in names})
                for name in names:
                    for reader in lines.readers(name):
                        if here[reader].shape == moved[reader].shape:
                            same = (here[reader] == moved[reader]) | (np.isnan(here[reader]) & np.isnan(moved[reader]))
                            self._moves[reader, name, axis, index] = ~same

    def moving(self, line: str) -> Mask:
        """Return which entries of a line are moved by each of its sources."""
        moved: dict[str, Mask] = {}
        for (reader, source, *_), found in self._moves.items():
            if reader == line:
                moved[source] = found | moved.get(source, np.zeros((), dtype=bool))
        return np.asarray(np.all(np.broadcast_arrays(True, *moved.values()), axis=0))

    def of(self, line: str, place: Place, source: str) -> Part:
        """Return the indices along each axis; all of an axis where none of them moves the entry alone."""
        found = []
        for axis, size in enumerate(self._shapes[source]):
            moves = (self._moves.get((line, source, axis, i)) for i in range(size))
            indices = tuple(i for i, moved in enumerate(moves) if moved is not None and moved[place])
            found.append(indices or tuple(range(size)))
        return tuple(found)


def _slabs(shape: Sequence[int]) -> list[tuple[int, int]]:
    return [(axis, i) for axis, size in enumerate(shape) if size <= LONGEST for i in range(size)]


def _far(array: Array, slab: Slab = ()) -> Array:
    """Return the array with a slab of it so different that no kink hides it."""
    changed = array.copy()
    if array.dtype.kind == "f":
        changed[slab] += 1 + 2 * np.abs(array[slab])
    elif array.dtype.kind == "b":
        changed[slab] = ~array[slab]
    else:
        changed[slab] = np.where(array[slab] == array.max(), array.min(), array[slab] + 1)
    return changed
