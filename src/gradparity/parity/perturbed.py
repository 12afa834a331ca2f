"""The loss of a hand-written forward as a function of changes of its names, and its derivative along one of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.kinks import Kinks, masks, same
from gradparity.protocol import Array, Batch, Key, Params
from gradparity.recording import TappedCache, name_of, part, stacked

Forward: TypeAlias = Callable[[Params, Batch, Any], None]
"""The hand-written forward: writes each intermediate to the cache, and c["loss"]."""


class ForwardPass(NamedTuple):
    """One forward pass."""

    loss: Array
    values: dict[str, Array]
    """Every name that was written to ``c``, in order."""
    read: set[str]
    """The names that the forward read back from ``c``."""


@dataclass(frozen=True, eq=False)
class Direction:
    """The loss along one direction of one name."""

    v: Float[np.ndarray, "..."]
    """In the name's shape; about as large as the name's value, or of size 1 where that is zero."""
    derivative: float
    """∂L/∂t of L(name + t·v) at t = 0."""
    accuracy: float
    """The largest error that the derivative may have."""
    steps: Float[np.ndarray, " steps"]
    """The steps h, descending, within which no kink is crossed."""
    change: Float[np.ndarray, " steps"]
    """L(name + h·v) − L(name) at each step."""


@dataclass(frozen=True, eq=False)
class Loss:
    """A hand-written forward at one point."""

    forward: Forward
    params: Params
    batch: Batch
    kinks: Kinks

    def run(self, change: Mapping[str, Array]) -> ForwardPass:
        """Run the forward with a change added to each of these names: an intermediate's as it is written to ``c``."""
        c = self._written(change, self._made_anew if change.keys() - self.params.keys() else frozenset())
        return ForwardPass(c.data["loss"], stacked(c.data), c.read)

    def _written(self, change: Mapping[str, Array], made_anew: Collection[str]) -> "_Cache":
        p = {name: value + change[name] if name in change else value for name, value in self.params.items()}
        c = _Cache(change, made_anew)
        # Large steps may overflow: such a loss is not finite, and is left out.
        with np.errstate(all="ignore"):
            self.forward(p, self.batch, c)
        return c

    def movable(self, here: ForwardPass) -> dict[str, Float[np.ndarray, "..."]]:
        """Return each parameter, and each real intermediate whose change reaches what the forward pass goes on with."""
        reached = {name: np.asarray(here.values[name]) for name in here.values if name in here.read | self._made_anew}
        real = {name: value for name, value in reached.items() if value.dtype.kind == "f" and name != "loss"}
        return {**self.params, **real}

    @cached_property
    def _made_anew(self) -> frozenset[str]:
        """The intermediates whose array is made by each run, and holds nothing but that name."""
        given = [*self.params.values(), self.batch.x, self.batch.y, *self.batch.extras.values()]
        runs = [self._written({}, ()).data for _ in range(2)]
        others = [*given, *runs[1].values()]
        return frozenset(
            name
            for name, value in runs[0].items()
            if isinstance(name, str)  # what a loop writes is read back from ``c``
            and isinstance(value, np.ndarray)
            and not any(np.may_share_memory(value, other) for other in others)
            and not any(np.may_share_memory(value, other) for key, other in runs[0].items() if key != name)
        )

    def along(self, name: str, v: Float[np.ndarray, "..."], here: ForwardPass, noise: float) -> Direction | None:
        """Measure one direction by central differences; None where even the smallest steps meet a kink.

        A declared kink shows in the masks; one that nobody declared, in how the loss bends from step to step.
        """
        beside = self.beside(here)
        found = derivative.measured(lambda t: float(beside({name: t * v})), float(here.loss), noise)
        return None if found is None else Direction(v, *found)

    def beside(self, here: ForwardPass) -> Callable[[Mapping[str, Array]], Array]:
        """Return the loss as a function of changes of its names; NaN where a change crosses a declared kink."""
        centre = masks(self.kinks, here.values)

        def loss(change: Mapping[str, Array]) -> Array:
            run = self.run(change)
            return run.loss if same(centre, masks(self.kinks, run.values)) else np.nan

        return loss

    def complex_step(self, name: str, v: Float[np.ndarray, "..."]) -> float | None:
        """Return Im L(name + ih·v) / h; None where the forward does not take complex numbers."""
        return derivative.complex_step(lambda t: complex(self.run({name: t * v}).loss))


class _Cache(TappedCache):
    """Adds each name's change as it is written, and remembers which names were read back.

    What is ``made_anew`` is changed where it lies, so that a variable of the forward's own holds the change as well.
    """

    def __init__(self, change: Mapping[str, Array], made_anew: Collection[str]) -> None:
        super().__init__(self._changed)
        self._change = change
        self._made_anew = made_anew
        self.read: set[str] = set()

    def __getitem__(self, key: Key) -> Array:
        self.read.add(name_of(key))
        return super().__getitem__(key)

    def _changed(self, key: Key, value: Array) -> Array:
        name = name_of(key)
        if name not in self._change:
            return value
        change = part(self._change[name], key)
        if name in self._made_anew and change.dtype == value.dtype:
            value += change
            return value
        return value + change
