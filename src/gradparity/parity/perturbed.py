"""The loss of a hand-written forward as a function of changes of its names, and its derivative along one of them."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.kinks import Kinks, Masks, masks, same
from gradparity.protocol import Array, Batch, Key, Params
from gradparity.recording import TappedCache, name_of, part, stacked

Forward: TypeAlias = Callable[[Params, Batch, Any], None]
"""The hand-written forward: writes each intermediate to the cache, and c["loss"]."""

KEPT = 10
"""Steps at which the loss is measured on both sides."""
COMPLEX_STEP = 2.0**-100
"""Its square is lost beside any number that matters, and the number itself underflows nowhere."""


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
        p = {name: value + change[name] if name in change else value for name, value in self.params.items()}
        c = _Cache(change)
        # Large steps may overflow: such a loss is not finite, and is left out.
        with np.errstate(all="ignore"):
            self.forward(p, self.batch, c)
        return ForwardPass(c.data["loss"], stacked(c.data), c.read)

    def along(self, name: str, v: Float[np.ndarray, "..."], here: ForwardPass, noise: float) -> Direction | None:
        """Measure one direction by central differences; None where even the smallest steps meet a kink.

        A declared kink shows in the masks; one that nobody declared, in how the loss bends from step to step.
        """
        centre = masks(self.kinks, here.values)
        kept: list[tuple[float, float, float]] = []
        for h in derivative.STEPS.tolist():
            # Lazily: where the step above has met a kink, the one below is not run.
            sides = (self._loss_beside(centre, {name: signed * v}) for signed in (h, -h))
            losses = list(takewhile(np.isfinite, sides))
            if len(losses) != 2:
                kept = []
                continue
            kept.append((h, *losses))
            if len(kept) == KEPT:
                break
        steps, above_all, below_all = np.array(kept).reshape(-1, 3).T
        free = slice(derivative.smooth_from(steps, above_all - 2 * float(here.loss) + below_all, noise), None)
        if len(steps[free]) < derivative.FEWEST:
            return None
        slope, accuracy = derivative.central(steps[free], above_all[free], below_all[free], noise)
        return Direction(v, slope, accuracy, steps[free], above_all[free] - float(here.loss))

    def complex_step(self, name: str, v: Float[np.ndarray, "..."]) -> float | None:
        """Return Im L(name + ih·v) / h; None where the forward does not take complex numbers."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                loss = self.run({name: 1j * COMPLEX_STEP * v}).loss
            except Exception:  # whatever it raises: the same code has just run on real numbers
                return None
        return float(np.imag(loss)) / COMPLEX_STEP

    def _loss_beside(self, centre: Masks, change: Mapping[str, Array]) -> float:
        """Return the loss after a change; NaN where that crosses a kink."""
        run = self.run(change)
        return float(run.loss) if same(centre, masks(self.kinks, run.values)) else np.nan


class _Cache(TappedCache):
    """Adds each name's change as it is written, and remembers which names were read back."""

    def __init__(self, change: Mapping[str, Array]) -> None:
        super().__init__(
            lambda key, value: value + part(change[name_of(key)], key) if name_of(key) in change else value
        )
        self.read: set[str] = set()

    def __getitem__(self, key: Key) -> Array:
        self.read.add(name_of(key))
        return super().__getitem__(key)
