"""What every contestant of a contest starts from: weights, examples and orders, drawn once and shared as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from gradparity.protocol import Backend, Dtype, Examples, ModelSpec
from gradparity_bench.points import spec_at
from gradparity_bench.standings import Point

Weights: TypeAlias = dict[str, np.ndarray]
"""Parameter name -> array, with the spec's names and shapes."""
Order: TypeAlias = Int[np.ndarray, " n"]
"""The examples of an epoch; consecutive runs of it are the batches."""
Layer: TypeAlias = tuple[Float[np.ndarray, "inputs outputs"], Float[np.ndarray, " outputs"]]
"""Weights and bias of one affine map."""

EPOCHS = 2
"""After so many the weights are compared; the second epoch shows that the first one's end was carried on."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The arrays that the parent draws, and each worker reads from a file."""

    params: Weights
    """To start from, in float64."""
    examples: Examples
    orders: Int[np.ndarray, "epochs n"]

    def save(self, path: Path) -> None:
        """Write the arrays for the workers."""
        named = {f"params.{name}": value for name, value in self.params.items()}
        named |= {f"extras.{name}": value for name, value in self.examples.extras.items()}
        own = self.examples
        np.savez(path, x=own.x, y=own.y, divisor=own.divisor, orders=self.orders, **named)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Drawn":
        """Read what ``save`` wrote."""
        with np.load(path) as file:

            def named(kind: str) -> Weights:
                return {name.removeprefix(kind): file[name] for name in file if name.startswith(kind)}

            examples = Examples(file["x"], file["y"], float(file["divisor"]), named("extras."))
            return cls(named("params."), examples, file["orders"])


def draw(spec: ModelSpec, examples: Examples | int, seed: int, epochs: int = 1) -> Drawn:
    """Draw the parameters, so many examples where none are given, and an order for each epoch.

    One generator draws the parameters and then each epoch's order, as ``gradparity train`` has it.
    """
    rng = np.random.default_rng(seed)
    params = spec.init(rng)
    if isinstance(examples, int):
        batch = spec.example_batch(rng, examples)
        examples = Examples(batch.x, batch.y, extras=batch.extras)
    return Drawn(params, examples, np.stack([rng.permutation(len(examples)) for _ in range(epochs)]))


@dataclass(frozen=True, eq=False)
class Task:
    """Plain gradient descent in float32 on the mean cross-entropy of each batch: what every loop trains."""

    point: Point
    drawn: Drawn
    lr: float

    @property
    def spec(self) -> ModelSpec:
        """The model at the sizes of the examples."""
        return spec_at(self.point)

    @property
    def examples(self) -> Examples:
        """Those of an epoch."""
        return self.drawn.examples

    @property
    def batch_size(self) -> int:
        """Examples of a step; those of an epoch's last step may be fewer."""
        return self.point.batch_size

    @property
    def layers(self) -> list[Layer]:
        """The initial weights, layer by layer, in float32."""
        arrays = [self.drawn.params[name].astype(np.float32) for name in self.spec.param_shapes]
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden units where there are any, and classes."""
        return (self.examples.x.shape[1], *(len(b) for _, b in self.layers))

    def in_memory(self) -> tuple[Float[np.ndarray, "n features"], Int[np.ndarray, " n"]]:
        """Return all examples as float32 and labels, as each library's users have them: in arrays of their own."""
        batch = self.examples.batch(slice(None), "float32")
        return np.array(batch.x), np.array(batch.y)

    def named(self, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> Weights:
        """Give copies of the arrays of layers the spec's names."""
        return dict(zip(self.spec.param_shapes, (np.array(a) for layer in layers for a in layer), strict=True))


class Trainer(NamedTuple):
    """A loop that is ready to train: its data are in place, nothing is compiled yet."""

    epoch: Callable[[Order], None]
    """Train on the examples in this order, batch after batch; nothing is pending on return."""
    weights: Callable[[], Weights]
    """Return a copy of the weights."""


Loop: TypeAlias = Callable[[Task], Trainer]


def own_loop(backend: Backend, task: Task, dtype: Dtype = "float32") -> Trainer:
    """Return the framework's own training: ``TrainStep.epoch``, as ``gradparity train`` runs it."""
    step = backend.model(task.spec, dtype).train_step(backend.optimizer("sgd", lr=task.lr))
    state = step.start(task.drawn.params)
    loaded = step.load(task.examples)

    def epoch(order: Order) -> None:
        nonlocal state
        state, _ = step.epoch(state, loaded, order, task.batch_size)

    def weights() -> Weights:
        return {name: np.array(backend.to_numpy(value)) for name, value in step.params(state).items()}

    return Trainer(epoch, weights)


def trained(trainer: Trainer, drawn: Drawn) -> Weights:
    """Return the weights after an epoch in each of the drawn orders."""
    for order in drawn.orders:
        trainer.epoch(order)
    return trainer.weights()
