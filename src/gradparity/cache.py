"""``c`` and ``d``: the mappings that a derivation writes its named values and gradients to.

In training both are plain mappings. In a check they *record what is written and return the witness's value when
read*: each line is fed the right inputs, so exactly the wrong line differs and errors do not cascade.
"""

from collections.abc import Mapping

from gradparity.errors import UsageError
from gradparity.protocol import Array, Tap


class Gradients(dict[str, Array]):
    """``d`` in training: a dict, with ``add`` for a name that is used more than once."""

    def add(self, name: str, value: Array) -> None:
        """Add one use's share to d[name]."""
        self[name] = self[name] + value if name in self else value


class TappedCache(dict[str, Array]):
    """``c`` for a machine that differentiates a hand-written forward: every write is a tap."""

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._tap = tap

    def __setitem__(self, name: str, value: Array) -> None:
        super().__setitem__(name, self._tap(name, value))


class Recorder(dict[str, Array]):
    """``c`` or ``d`` in a check: holds what is written, and answers each read with the witness's value.

    ``reads[name]`` holds the names that were read since the previous write, that is, by the line that wrote
    ``name``. A name that the witness does not have is read as it was written. ``seed`` is readable from the start.

    Raises UsageError when a name is written twice, or read before it is written.
    """

    def __init__(self, symbol: str, witness: Mapping[str, Array], seed: str | None = None) -> None:
        super().__init__()
        self._symbol = symbol
        self._witness = witness
        self._seed = seed
        self._sums: set[str] = set()
        self._pending: tuple[str, ...] = ()
        self.reads: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self and name != self._seed:
            there = ", ".join(self) or "nothing"
            raise UsageError(
                f"{self._symbol}['{name}'] is read before it is written: so far there is {there}; "
                "write it first, or check the name"
            )
        self._pending += (name,)
        return self._witness[name] if name in self._witness else super().__getitem__(name)

    def __setitem__(self, name: str, value: Array) -> None:
        if name in self:
            raise UsageError(
                f"{self._symbol}['{name}'] is written twice: a name is written once; "
                f"a sum over uses goes through {self._symbol}.add('{name}', value)"
            )
        self._record(name, value)

    def add(self, name: str, value: Array) -> None:
        """Add one use's share to what is written."""
        if name in self and name not in self._sums:
            raise UsageError(
                f"{self._symbol}['{name}'] is written and then added to: "
                f"write every share with {self._symbol}.add('{name}', value)"
            )
        self._sums.add(name)
        self._record(name, super().__getitem__(name) + value if name in self else value)

    def _record(self, name: str, value: Array) -> None:
        super().__setitem__(name, value)
        self.reads[name] = self.reads.get(name, ()) + self._pending
        self._pending = ()

    def written(self) -> dict[str, Array]:
        """Return what was written, by name."""
        return {name: dict.__getitem__(self, name) for name in self}
