"""Central differences of a tapped loss, with respect to parameters and intermediates alike."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gradparity.protocol import Batch, Key, Params, Tap

TappedLoss = Callable[[Params, Batch, Tap], Tensor]
CentralDifferences = Callable[[TappedLoss, dict[str, np.ndarray], Batch, str, tuple[int, ...]], np.ndarray]

STEP = 1e-5


@pytest.fixture
def central_differences() -> CentralDifferences:
    """dL/d(name): the loss is run with the named value moved by ±STEP, entry by entry."""

    def differentiate(
        loss: TappedLoss, params: dict[str, np.ndarray], batch: Batch, name: str, shape: tuple[int, ...]
    ) -> np.ndarray:
        tensors = {k: torch.tensor(v) for k, v in params.items()}
        on_tensors = batch.map(torch.tensor)

        def at(shift: np.ndarray) -> float:
            def move(tapped: Key, value: Tensor) -> Tensor:
                return value + torch.tensor(shift) if tapped == name else value

            moved = {k: move(k, v) for k, v in tensors.items()}
            return float(loss(moved, on_tensors, move))

        gradient = np.zeros(shape)
        for index in np.ndindex(shape):
            shift = np.zeros(shape)
            shift[index] = STEP
            gradient[index] = (at(shift) - at(-shift)) / (2 * STEP)
        return gradient

    return differentiate
