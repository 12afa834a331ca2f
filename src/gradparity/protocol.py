"""What a model is, what a backend is, and the few shapes that pass between them.

A *spec* says what is computed, in no framework. A *backend* turns a spec into a *model*, whose one primitive is
``value_and_grad``. Parameters are a flat dict from name to array, with the same names and shapes in every backend;
whatever is shared between backends is shared as NumPy arrays, never as seeds.

What a backend's author writes is in ``gradparity.runtime``; ``gradparity.model`` makes a backend of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

Array: TypeAlias = Any
"""An array of whichever library the surrounding backend uses."""

Params: TypeAlias = Mapping[str, Array]
"""Parameter name -> array."""

Key: TypeAlias = str | tuple[str, int]
"""A name of ``c`` and ``d``; or a name and the pass of the loop that writes it, ``c["h", t]``."""

Tap: TypeAlias = Callable[[Key, Array], Array]
"""Marks a named intermediate of a forward pass; the identity outside a trace."""

Dtype: TypeAlias = Literal["float32", "float64"]
Differentiation: TypeAlias = Literal["hand", "machine"]


def in_dtype(array: np.ndarray, dtype: Dtype) -> np.ndarray:
    """Return floating-point numbers in ``dtype``; whole ones, such as tokens and labels, as they are."""
    return array.astype(dtype) if array.dtype.kind == "f" else array


class Batch(NamedTuple):
    """The examples of one step. What is not floating point (tokens, labels, lengths) is never cast to it."""

    x: Array
    """Inputs (n, ...): real, or whole numbers such as tokens."""
    y: Array
    """Labels (n, ...), or real targets (n, outputs)."""
    extras: Mapping[str, Array] = {}  # never changed in place
    """What else the step needs, by name: dropout masks, lengths, noise."""

    def map(self, function: Callable[[Array], Array]) -> "Batch":
        """Return the batch with ``function`` applied to each of its arrays."""
        extras = {name: function(array) for name, array in self.extras.items()} if self.extras else {}
        return Batch(function(self.x), function(self.y), extras)


@dataclass(frozen=True)
class Line:
    """One named step of a derivation: an intermediate (with a forward formula) or a parameter (without)."""

    name: str
    forward: str
    """LaTeX; empty for a parameter, which is given."""
    backward: str
    """LaTeX of the gradient of the loss with respect to this name."""
    why: str
    """One sentence: why the backward formula is what it is."""


@dataclass(frozen=True)
class Trace:
    """Every named value of one forward pass and every named gradient of one backward pass."""

    values: dict[str, np.ndarray]
    """The intermediates, in the order in which the forward pass named them."""
    gradients: dict[str, np.ndarray]
    """dL/d(name) of every intermediate and every parameter."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """The largest ‖error‖₂ that a gradient may have which is measured; one that is computed is not named."""


@dataclass(frozen=True)
class Operation:
    """One operation of the program that a library made of a model's gradient."""

    position: int
    """Its place in the program, from 0."""
    text: str
    """One line, nearly as the library prints it."""
    scope: str = ""
    """The step and the transformation that it comes from, as the library names them."""


@dataclass(frozen=True)
class Operations:
    """What a machine does for one line of a derivation.

    An operation belongs to the line whose value it computes (forward) or whose gradient it computes (backward): so
    what a step's derivative is multiplied with stands at the line that the step reads. One that computes several
    gradients at once may stand at each of them.
    """

    forward: tuple[Operation, ...] = ()
    """What computes the value; empty for a parameter, and where the library keeps no program of the forward pass."""
    backward: tuple[Operation, ...] = ()
    """What computes the gradient; empty where that is another one, unchanged."""
    receiver: str = ""
    """The node of a recorded graph that receives the line's gradient; empty where the library records none."""
    passes_to: tuple[str, ...] = ()
    """The nodes that it hands gradients on to, the library's next functions; a line's own node with the line's name."""
    reads: tuple[str, ...] = ()
    """The lines that the value is computed from, and ``batch.x`` and ``batch.y`` where the library keeps track."""


class HandDerivation(NamedTuple):
    """The two functions a student writes, on the arrays of one library."""

    forward: Callable[[Params, Batch, Any], None]
    """Writes each intermediate to the cache ``c``, the last one as ``c["loss"]``."""
    backward: Callable[[Params, Batch, Any, Any], None]
    """Reads ``c``, and writes the gradient of every name to ``d``."""


@runtime_checkable
class ModelSpec(Protocol):
    """What a model is, in no framework: a frozen dataclass per model."""

    @property
    def name(self) -> str:
        """The name under which each backend has the model."""

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name -> shape."""

    @property
    def derivation(self) -> tuple[Line, ...]:
        """The named lines in forward order, each parameter before the line that uses it first."""

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw initial parameters, in float64."""

    def example_batch(self, rng: np.random.Generator, n: int) -> Batch:
        """Draw n examples that hide no error: x float64, labels int64 and unbalanced, targets float64."""

    def flops(self, n: int) -> int:
        """Count the floating-point operations of one training step on n examples (a multiply-add is two)."""


@runtime_checkable
class HandWrittenSpec(ModelSpec, Protocol):
    """A spec that brings its own hand derivation: machine backends differentiate its ``forward``."""

    @property
    def hand(self) -> HandDerivation:
        """The hand-written forward and backward, on arrays of any library."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples as they lie in memory, NumPy's or a library's own."""

    x: Array
    """(n, ...): images as uint8, other real inputs as float, tokens as any other integer."""
    y: Array
    """Labels (n, ...) int64, or real targets (n, outputs) float64."""
    divisor: float = 1.0
    """What x is divided by when it becomes float: 255 for 8-bit images."""
    extras: Mapping[str, Array] = field(default_factory=dict)
    """What else a step needs of each example, by name (n, ...)."""

    def __len__(self) -> int:
        return len(self.x)

    def map(self, function: Callable[[Array], Array]) -> "Examples":
        """Return the examples with ``function`` applied to each of their arrays."""
        x, y, extras = Batch(self.x, self.y, self.extras).map(function)
        return Examples(x, y, self.divisor, extras)

    def batch(self, index: "Int[np.ndarray, ' n'] | slice", dtype: Dtype) -> Batch:
        """Gather the examples at ``index``: images, and what is floating point, in ``dtype``; the rest as it is."""
        batch = Batch(self.x, self.y, self.extras).map(lambda array: in_dtype(array[index], dtype))
        if self.x.dtype == np.uint8:
            batch = batch._replace(x=batch.x.astype(dtype))
        if self.divisor == 1.0 or batch.x.dtype.kind != "f":
            return batch
        return batch._replace(x=batch.x / np.dtype(dtype).type(self.divisor))


@runtime_checkable
class TrainStep(Protocol):
    """One optimiser step, compiled; and ``epoch``, many steps. Pass the newest state: it may be updated in place."""

    def start(self, params: Params) -> Any:
        """Return the state before the first step. ``params`` is copied, never changed."""

    def __call__(self, state: Any, batch: Batch) -> tuple[Any, Array]:
        """Take one step. Returns the new state and the loss *before* the step; asynchronous work may be pending."""

    def load(self, examples: Examples) -> Any:
        """Hand the examples to the backend, once, for any number of epochs."""

    def epoch(
        self, state: Any, loaded: Any, order: Int[np.ndarray, " n"], batch_size: int
    ) -> tuple[Any, Float[np.ndarray, " steps"]]:
        """Step through the loaded examples in this order; the last batch may be smaller.

        Returns the new state and the loss before each step. Nothing is pending on return.
        """

    def params(self, state: Any) -> dict[str, Array]:
        """Return the parameters of a state, and its statistics beside them, in the backend's own arrays."""


@runtime_checkable
class Model(Protocol):
    """A spec in one backend and one dtype. ``params`` and ``batch`` may be NumPy arrays or the backend's own.

    One primitive, ``value_and_grad``; the rest derives from it.
    """

    @property
    def spec(self) -> ModelSpec:
        """What this model computes."""

    @property
    def dtype(self) -> Dtype:
        """The dtype of every value and gradient."""

    @property
    def derivation(self) -> HandDerivation | None:
        """The hand derivation on the backend's own arrays, or None where a machine derives."""

    def loss(self, params: Params, batch: Batch) -> Array:
        """Return the loss, a scalar array."""

    def value_and_grad(self, params: Params, batch: Batch) -> tuple[Array, dict[str, Array]]:
        """Return the loss and its gradient by parameter name, each of the parameter's shape."""

    def predict(self, params: Params, x: Array, extras: Mapping[str, Array] = ...) -> Array:
        """Return the model's output (n, outputs): logits for a classifier. ``extras`` are those of the batch."""

    def trace(self, params: Params, batch: Batch) -> Trace:
        """Return every named value and every named gradient."""

    def train_step(self, optimizer: Any) -> TrainStep:
        """Compile a training step with an optimiser that ``Backend.optimizer`` returned."""


@runtime_checkable
class Backend(Protocol):
    """One way of getting a gradient."""

    @property
    def name(self) -> str:
        """The name it is registered and chosen by."""

    @property
    def library(self) -> str:
        """The library whose arrays it computes on."""

    @property
    def differentiation(self) -> Differentiation:
        """Who derives: "hand" or "machine"."""

    def model(self, spec: ModelSpec, dtype: Dtype = "float32") -> Model:
        """Return the spec's model. Raises UsageError where this backend has none of that name."""

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into the backend's own, dtype kept."""

    def to_numpy(self, array: Array) -> np.ndarray:
        """Copy the backend's array to NumPy, dtype kept; waits for it."""

    def optimizer(self, name: str, **hyperparameters: Any) -> Any:
        """Return the optimiser of a name in ``gradparity.optimizers.RULES``, for ``train_step``.

        Raises UsageError for an unknown name or hyperparameter, and for one that is out of range.
        """

    def wait(self, x: Any) -> None:
        """Wait until every array in x is computed."""
