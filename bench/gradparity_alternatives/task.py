"""What every contestant trains, and what it has to offer for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from gradparity import data
from gradparity.models import RegisteredSpec, spec_for_data
from gradparity.protocol import Examples

Weights: TypeAlias = dict[str, np.ndarray]
"""Parameter name -> array, with the spec's names and shapes."""
Order: TypeAlias = Int[np.ndarray, " n"]
"""The examples of an epoch; consecutive runs of it are the batches."""
Layer: TypeAlias = tuple[Float[np.ndarray, "inputs outputs"], Float[np.ndarray, " outputs"]]
"""Weights and bias of one affine map."""

MODELS = {"softmax_regression": (), "mlp": ("hidden=32", "activation=relu")}
"""Model -> its settings: none hidden, or one hidden layer."""


@dataclass(frozen=True)
class Task:
    """Plain gradient descent in float32 on the mean cross-entropy of each batch, said in words that fit into JSON."""

    data: str
    data_dir: str | None
    model: str
    batch_size: int
    lr: float = 0.1
    seed: int = 42
    """One generator draws the initial weights and then each epoch's permutation, as ``gradparity train`` has it."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The same in arrays."""

    examples: Examples
    spec: RegisteredSpec
    classes: int
    weights: Weights
    """To start from, in float64."""
    rng: np.random.Generator
    """Draws the order of each epoch."""
    batch_size: int
    lr: float

    @property
    def layers(self) -> list[Layer]:
        """The initial weights, layer by layer, in float32."""
        arrays = [self.weights[name].astype(np.float32) for name in self.spec.param_shapes]
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden units where there are any, and classes."""
        return (self.examples.x.shape[1], *(len(b) for _, b in self.layers))

    def in_memory(self) -> tuple[Float[np.ndarray, "n features"], Int[np.ndarray, " n"]]:
        """Return all examples as float32 and labels, as each alternative wants them."""
        x, y, _ = self.examples.batch(slice(None), "float32")
        return x, y

    def named(self, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> Weights:
        """Give the arrays of layers the spec's names."""
        return dict(zip(self.spec.param_shapes, (np.array(a) for layer in layers for a in layer), strict=True))


class Trainer(NamedTuple):
    """A contestant that is ready to train: its data are in place, nothing is compiled yet."""

    epoch: Callable[[Order], None]
    """Train on the examples in this order, batch after batch, the last one smaller; nothing is pending on return."""
    weights: Callable[[], Weights]
    """Return a copy of the weights."""


def problem(task: Task) -> Problem:
    """Load the data and draw the initial weights. Raises UsageError for data that are not here or have no labels."""
    dataset = data.load(task.data, data_dir=None if task.data_dir is None else Path(task.data_dir))
    spec = spec_for_data(task.model, dataset, MODELS[task.model])
    rng = np.random.default_rng(task.seed)
    return Problem(dataset.train, spec, dataset.outputs, spec.init(rng), rng, task.batch_size, task.lr)
