"""What the author of a backend writes: a model's functions, and a library's runtime; and two helpers for both.

A runtime does not care who derives, so three backends may share one. What is optional makes it faster, no more.
``gradparity.model`` makes the backend of the two.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from gradparity.protocol import (
    Array,
    Batch,
    Differentiation,
    Dtype,
    Examples,
    HandDerivation,
    ModelSpec,
    Operations,
    Params,
)


class ModelFunctions(NamedTuple):
    """A model's mathematics on a library's own arrays, before that library compiles or times anything.

    ``value_and_grad`` is all that is needed; what is None is derived from it, or refused in one line.
    """

    value_and_grad: Callable[[Params, Batch], tuple[Array, dict[str, Array]]]
    """The loss, and its gradient by parameter name."""
    loss: Callable[[Params, Batch], Array] | None = None
    predict: Callable[..., Array] | None = None
    """(params, x), and the extras as a third argument for a spec that ``PredictsWithExtras``."""
    trace: Callable[[Params, Batch], tuple[dict[str, Array], dict[str, Array]]] | None = None
    """Values and gradients by name. Without it the names are the loss and the parameters."""
    derivation: HandDerivation | None = None
    """The hand derivation, or None where a machine derives."""
    operations: Callable[[Params, Batch], Mapping[str, Operations]] | None = None
    """What the machine does for each line."""
    observing: Callable[[Collection[str]], Callable[[Params, Batch], tuple[Array, dict[str, Array], Params]]] | None = (
        None
    )
    """Given names, ``value_and_grad`` that returns these values of the same forward pass too: for statistics."""
    hessian_vector: Callable[[Params, Batch, Params], dict[str, Array]] | None = None
    """How the gradient changes along a direction v of the parameters, by the library's own autodiff."""


class Listed(NamedTuple):
    """What ``gradparity backends`` says of a backend whose library takes long to import, without importing it.

    A package says so of its backends by name, ``LISTED = {"mine": Listed("lib", "machine", ("lib",))}``, where its
    entry points' modules begin.
    """

    library: str
    differentiation: Differentiation
    needs: tuple[str, ...] = ()
    """The packages that must be installed."""


class State(NamedTuple):
    """What one training step hands to the next."""

    params: dict[str, Array]
    """Parameters, as the optimiser keeps them."""
    statistics: dict[str, Array]
    """What the step updates without a gradient, by name: a running mean. Empty for most models."""
    memory: Any
    """The optimiser's own."""
    step: int | Array
    """The number of steps taken."""


def map_arrays(function: Callable[[Array], Array], argument: Any) -> Any:
    """Apply a function to each array of named arrays, of a batch, or to one array. A state is returned as it is."""
    if isinstance(argument, State):
        return argument
    if isinstance(argument, Batch):
        return argument.map(function)
    if isinstance(argument, Mapping):
        return {name: function(array) for name, array in argument.items()}
    return function(argument)


@runtime_checkable
class UpdateRule(Protocol):
    """An optimiser's rule, in no framework: a frozen dataclass of its hyperparameters (``gradparity.optimizers``)."""

    name: ClassVar[str]
    formula: ClassVar[str]
    """LaTeX: the parameter p after a step with the gradient g."""
    source: ClassVar[str]

    @property
    def memory(self) -> tuple[str, ...]:
        """What it remembers of each parameter between steps, by name: an array of that parameter's shape each."""

    def magnification(self, step: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """How many units in the last place a step (from 1) changes when one of the rule's constants changes by one."""


def _same(params: dict[str, Array]) -> dict[str, Array]:
    return params


class Optimizer(NamedTuple):
    """A rule on a library's own arrays. It also decides how the parameters lie between steps."""

    start: Callable[[dict[str, Array]], tuple[dict[str, Array], Any]]
    """Takes parameters that nobody else has; returns them as it keeps them, and its memory."""
    update: Callable[[dict[str, Array], dict[str, Array], Any, int | Array], tuple[dict[str, Array], Any]]
    """(kept parameters, gradients, memory, steps taken before) -> kept parameters and memory; in place, if it likes."""
    params: Callable[[dict[str, Array]], dict[str, Array]] = _same
    """From kept parameters to those that the model reads, in every step."""
    remembered: Callable[[Any], dict[str, Array]] | None = None
    """From its memory to arrays named "velocity.W", each of the parameter's shape: what a checkpoint holds."""
    recall: Callable[[Any, dict[str, Array], int], Any] | None = None
    """(memory at the start, remembered arrays, steps taken) -> the memory as it was then."""


How: TypeAlias = Literal["program", "trace", "step", "eager"]
Step: TypeAlias = Callable[[State, Batch], tuple[State, Array]]


@runtime_checkable
class Runtime(Protocol):
    """A library, whoever derives: all that a backend needs besides a model's mathematics."""

    @property
    def library(self) -> str:
        """The library whose arrays it computes on."""

    def compile(self, function: Callable[..., Any], dtype: Dtype, how: How = "program") -> Callable[..., Any]:
        """Return the function as fast as the library makes it, for NumPy's arrays and the library's own.

        Its arguments are named arrays, a batch, one array, or a state. Arrays arrive as the library's own, what is
        floating point in ``dtype``, and nothing else is cast to it; a state arrives as it is (``map_arrays``).

        A "program" is called often. A "trace" is called a few times: it should be compiled soon rather than run fast.
        A "step" takes a state first, which nobody uses afterwards. What is "eager" is
        called seldom and may return anything: it is not worth compiling.
        """

    def from_numpy(self, array: np.ndarray) -> Array:
        """Copy a NumPy array into the library's own, dtype kept."""

    def wait(self, x: Any) -> None:
        """Wait until every array in x is computed."""

    def optimizer(self, rule: UpdateRule) -> Optimizer:
        """Return the rule on the library's arrays. Raises UsageError for a rule that it does not have."""


def to_numpy(runtime: Runtime, array: Array) -> np.ndarray:
    """Copy a library's array to NumPy, dtype kept; waits for it."""
    runtime.wait(array)
    return np.array(np.asarray(array))


def read_only(array: np.ndarray) -> np.ndarray:
    """Return the same numbers, in the same memory, for backends that share them: one that writes there raises."""
    shared = np.asarray(array)
    if shared.flags.writeable:
        shared = shared.view()
        shared.flags.writeable = False
    return shared


@runtime_checkable
class RunsEpochs(Protocol):
    """What a runtime may offer besides: an epoch that is faster than its steps one by one."""

    def load(self, examples: Examples, dtype: Dtype) -> Any:
        """Make the examples ready, once, for any number of epochs; ``len`` of the result is their number."""

    def epoch(self, step: Step, spec: ModelSpec, dtype: Dtype) -> Callable[[State, Any, np.ndarray, int], Any]:
        """Return what ``TrainStep.epoch`` is then, made of a step that is not compiled."""


@runtime_checkable
class Resumes(Protocol):
    """What a step may offer besides: to go on from where another run stopped, for checkpoints."""

    def start(self, params: Params, remembered: Params | None = None, steps: int = 0) -> Any:
        """Return the state after so many steps, with what the optimiser remembered then."""

    def remembered(self, state: Any) -> dict[str, Array]:
        """Return what the optimiser remembers: "velocity.W", of W's shape, on every backend the same."""


@runtime_checkable
class CompilesInStages(Protocol):
    """What a step may offer besides: the work of its first call ahead of it, to be timed apart."""

    def stages(self, state: Any, batch: Batch) -> Iterator[str]:
        """Do the next stage, and yield its name, "trace" or "compile". The state is not consumed."""


@runtime_checkable
class KeepsPrograms(Protocol):
    """What a backend or a runtime that compiles may offer besides, for sweeps over thousands of models."""

    def forget(self) -> None:
        """Free what is compiled so far, of any model: it is compiled anew when it is next called."""


@runtime_checkable
class DifferentiatesTwice(Protocol):
    """What a model may offer besides: the derivative of its gradient, by its library's own autodiff."""

    def hessian_vector(self, params: Params, batch: Batch, v: Params) -> Mapping[str, Array]:
        """Return H·v by parameter name, where H is the Hessian of the loss; nothing where that is not told."""


@runtime_checkable
class TellsOperations(Protocol):
    """What a model may offer besides: its machine's own operations, for ``gradparity explain``."""

    def operations(self, params: Params, batch: Batch) -> Mapping[str, Operations]:
        """Return, for every line and every parameter, what the machine does for it. No operation is left over."""
