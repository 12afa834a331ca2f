"""``c`` and ``d``: the mappings that a derivation writes its named values and gradients to.

In training both are plain mappings. In a check they *record what is written and return the witness's value when
read*: each line is fed the right inputs, so exactly the wrong line differs and errors do not cascade. An operation
sees either, and ``p``, through a ``View``, under names of its own.

A loop writes a name once in every pass: ``c["h", t]`` is h in pass t. Whoever compares sees one array h, whose first
axis counts the passes.
"""

from collections import UserDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from array_api_compat import array_namespace

from gradparity.errors import UsageError, did_you_mean
from gradparity.protocol import Array, Batch, Key, Params, Tap


def name_of(key: Key) -> str:
    """Return the name, without the pass of a loop."""
    return key if isinstance(key, str) else key[0]


def part(array: Array, key: Key) -> Array:
    """Return what belongs to the key of an array that holds every pass of a loop."""
    return array if isinstance(key, str) else array[key[1]]


def stacked(named: Mapping[Key, Array]) -> dict[str, Array]:
    """Return one array for each name: that of a loop holds every pass along its first axis."""
    found: dict[str, Any] = {}
    for key, value in named.items():
        if isinstance(key, str):
            found[key] = value
        else:
            found.setdefault(key[0], _Passes())[key[1]] = value
    return {name: value.stacked() if isinstance(value, _Passes) else value for name, value in found.items()}


class _Passes(dict[int, Array]):
    def stacked(self) -> Array:
        values = [self[t] for t in sorted(self)]
        return array_namespace(values[0]).stack(values)


class Gradients(dict[Key, Array]):
    """``d`` in training: a dict, with ``add`` for a name that is used more than once."""

    def add(self, name: Key, value: Array) -> None:
        """Add one use's share to d[name]."""
        self[name] = self[name] + value if name in self else value


@final
class View:
    """``p``, ``c`` or ``d`` as an operation sees it: under the operation's own short names.

    A view at a place puts the place before every name: at "block1.norm", "out" is "block1.norm.out". A view that
    renames, ``{"W": "W2", "out": "z2"}``, leaves every other name as it is. What is viewed may be a view itself.
    """

    __slots__ = ("_outer", "_prefix", "_renamed")

    def __init__(self, outer: Any, at: str | Mapping[str, str]) -> None:
        self._outer = outer
        self._renamed: Mapping[Any, str]
        if isinstance(at, str):
            self._prefix, self._renamed = f"{at}.", _UNCHANGED
        else:
            self._prefix, self._renamed = "", at

    # In training a call of Python's counts: what is renamed is found without one.
    def __getitem__(self, name: Key) -> Array:
        return self._outer[self._renamed.get(name) or self._full(name)]

    def __setitem__(self, name: Key, value: Array) -> None:
        self._outer[self._renamed.get(name) or self._full(name)] = value

    def add(self, name: Key, value: Array) -> None:
        """Add one use's share, as ``d.add`` does."""
        self._outer.add(self._renamed.get(name) or self._full(name), value)

    def _full(self, key: Any) -> Any:
        if isinstance(key, tuple):
            return self._full(key[0]), key[1]
        return self._renamed.get(key, self._prefix + key)

    def behind(self, name: str) -> tuple[Any, str]:
        """Return the mapping that is viewed in the end, and what it calls this name."""
        full = self._full(name)
        return self._outer.behind(full) if isinstance(self._outer, View) else (self._outer, full)


_UNCHANGED: Mapping[Any, str] = {}


# A UserDict, unlike a dict, calls __setitem__ and __getitem__ from ``update`` and ``get`` too.
class TappedCache(UserDict[Key, Array]):
    """``c`` for a machine that differentiates a hand-written forward: every write is a tap."""

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._tap = tap

    def __setitem__(self, key: Key, value: Array) -> None:
        if key in self:
            raise UsageError(f"{_place('c', key)} is written twice: give each intermediate its own name")
        self.data[key] = self._tap(key, value)


def tapped_loss(
    model: str, forward: Callable[[Params, Batch, Any], None], params: Params, batch: Batch, tap: Tap
) -> Array:
    """Run a hand-written forward, each write a tap; return the loss. Raises UsageError where that is no scalar."""
    c = TappedCache(tap)
    forward(params, batch, c)
    value = c.data.get("loss")
    if getattr(value, "shape", None) != ():
        shape = getattr(value, "shape", None)
        received = "nothing" if value is None else type(value).__name__ if shape is None else f"shape {tuple(shape)}"
        raise UsageError(
            f"{model}: forward must write a scalar array to c['loss'], got {received}: "
            "reduce the loss over the batch and write it last"
        )
    return value


class Recorder(UserDict[Key, Array]):
    """``c`` or ``d`` in a check: holds what is written, and answers each read with the witness's value.

    ``reads[name]`` holds the names that were read since the previous write, that is, by the line that wrote
    ``name``. A name that the witness does not have is read as it was written. ``seed`` is readable from the start.
    ``inspect`` is given each key and value before it is recorded, and may refuse it. ``follow`` is given each value
    that is written whole, and the witness's: it may put that into the same array, for the local variables that hold
    it, and returns what was written. ``shares[name]`` are the values that ``add`` was given, in order.

    Raises UsageError when a name is written twice, or read before it is written, or when an array is of another
    library than the witness's.
    """

    def __init__(
        self,
        symbol: str,
        witness: Mapping[str, Array],
        seed: str | None = None,
        inspect: Callable[[Key, Array], None] | None = None,
        follow: Callable[[Array, Array], Array] = lambda value, _: value,
    ) -> None:
        super().__init__()
        self._symbol = symbol
        self._witness = witness
        self._seed = seed
        self._inspect = inspect
        self._follow = follow
        self.shares: dict[Key, list[Array]] = {}
        self._pending: tuple[str, ...] = ()
        self.reads: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, key: Key) -> Array:
        name = name_of(key)
        if key not in self and key != self._seed:
            known = list(dict.fromkeys(map(name_of, self)))
            raise UsageError(
                f"{_place(self._symbol, key)} is read before it is written: so far there is "
                f"{', '.join(known) or 'nothing'}; write it first{self._about_sums(key)}"
                f"{did_you_mean(str(name), known)}"
            )
        self._pending += (name,)
        return part(self._witness[name], key) if name in self._witness else self.data[key]

    def __setitem__(self, key: Key, value: Array) -> None:
        if key in self:
            fix = self._about_sums(key) or "; a new value gets a new name, and += and -= write too"
            raise UsageError(f"{_place(self._symbol, key)} is written twice: a name is written once{fix}")
        self._record(key, value)
        name = name_of(key)
        self.data[key] = self._follow(value, part(self._witness[name], key)) if name in self._witness else value

    def add(self, key: Key, value: Array) -> None:
        """Add one use's share to what is written."""
        if key in self and key not in self.shares:
            raise UsageError(
                f"{_place(self._symbol, key)} is written and then added to: write every share with {self._adding(key)}"
            )
        self._record(key, value)
        self.shares.setdefault(key, []).append(value)
        self.data[key] = self.data[key] + value if key in self else value

    def _record(self, key: Key, value: Array) -> None:
        name = name_of(key)
        expected = library_of(self._witness.get(name, value))
        if library_of(value) not in (expected, "builtins"):
            raise UsageError(
                f"{_place(self._symbol, key)} must be an array of {expected}, got one of {library_of(value)}: "
                "take functions from xp = array_namespace(x)"
            )
        if self._inspect is not None:
            self._inspect(key, value)
        self.reads[name] = self.reads.get(name, ()) + self._pending
        self._pending = ()

    def _about_sums(self, key: Key) -> str:
        """Name what replaces ``d[name] += value``, which Python turns into a read and then a write."""
        return f"; a sum goes through {self._adding(key)}, never +=" if self._symbol == "d" else ""

    def _adding(self, key: Key) -> str:
        return f"{self._symbol}.add({key!r}, value)"

    def written(self) -> dict[str, Array]:
        """Return what was written, by name."""
        return stacked(self.data)


def _place(symbol: str, key: Key) -> str:
    """Return a key as one writes it: d['h', 3]."""
    return f"{symbol}[{key!r}]" if isinstance(key, str) else f"{symbol}[{key[0]!r}, {key[1]}]"


def library_of(array: Array) -> str:
    """Return the package that an array's type comes from: "numpy", "jax", "torch"; "builtins" for a number."""
    package = type(array).__module__.partition(".")[0]
    return "jax" if package == "jaxlib" else package


def forward_order(reads: Mapping[str, Iterable[str]], params: Iterable[str]) -> list[str]:
    """Return the lines as the forward pass writes them, each parameter before the line that reads it first.

    ``reads`` has the lines in the order of the forward pass; a parameter that none of them reads comes first of all.
    """
    names = list(params)
    order: dict[str, None] = {}
    for line, sources in reads.items():
        read = set(sources)
        order.update((name, None) for name in names if name in read)
        order[line] = None
    return [*(name for name in names if name not in order), *order]
