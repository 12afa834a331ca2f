"""A user's own model, of a vector w unless it says otherwise, and whatever forward a test brings."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gradparity.protocol import Batch, HandDerivation, Line


@dataclass(frozen=True)
class Written:
    """What a spec must have, and no more."""

    forward: Callable[..., None]
    param_shapes: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"w": (2,)})
    name: str = "written"
    derivation: tuple[Line, ...] = ()

    @property
    def hand(self) -> HandDerivation:
        return HandDerivation(self.forward, lambda *_: None)

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {name: rng.normal(size=shape) for name, shape in self.param_shapes.items()}

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        return Batch(rng.normal(size=(n, 2)), rng.normal(size=n))

    def flops(self, n: int) -> int:
        return 8 * n
