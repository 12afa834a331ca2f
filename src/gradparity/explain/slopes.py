"""Single entries of a gradient from the loss alone: how it changes when one number changes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.kinks import Kinks
from gradparity.parity.norms import typical_size
from gradparity.parity.perturbed import Forward, ForwardPass, Loss
from gradparity.protocol import Batch


@dataclass(frozen=True)
class Slope:
    """∂L/∂(one entry), by central differences."""

    value: float
    accuracy: float
    """The largest error that the value may have."""


@dataclass(frozen=True, eq=False)
class Slopes:
    """The loss of a hand-written forward at one point, ready to be measured entry by entry."""

    loss: Loss
    here: ForwardPass
    noise: float
    """The rounding error of the loss."""

    def can_move(self, name: str) -> bool:
        """Whether the loss can be asked about this name: a change of a value may not reach the forward pass."""
        return name in self.loss.movable(self.here)

    def at(self, name: str, place: tuple[int, ...]) -> Slope | None:
        """Measure one entry; None where the loss has a kink there, and so no derivative."""
        value = np.asarray(self.loss.params[name] if name in self.loss.params else self.here.values[name])
        size = typical_size(value)
        direction = np.zeros(value.shape)
        direction[place] = size
        found = self.loss.along(name, direction, self.here, self.noise)
        return None if found is None else Slope(float(found.derivative / size), float(found.accuracy / size))


def slopes(
    forward: Forward,
    params: Mapping[str, Float[np.ndarray, "..."]],
    batch: Batch,
    kinks: Kinks,
    rng: np.random.Generator,
) -> Slopes:
    """Prepare the measurement: ``params`` and ``batch`` are NumPy, float64."""
    loss = Loss(forward, params, batch, kinks)
    everywhere = {name: rng.normal(size=value.shape) * typical_size(value) for name, value in params.items()}
    noise = derivative.noise(lambda t: float(loss.run({name: t * v for name, v in everywhere.items()}).loss))
    return Slopes(loss, loss.run({}), noise)
