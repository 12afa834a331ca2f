"""A problem: what is checked, on which numbers, and what is known to be right there. It is posed once, then judged.

Whatever is checked becomes one: a model, a model file, a function and its backward rule, an exercise. ``subjects``
poses them; everything in ``parity`` reads them and asks nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from gradparity.inputs import require_fits
from gradparity.parity.budget import Budgets
from gradparity.parity.diagnosis.rerun import Rule
from gradparity.parity.differences import LossMeasurement
from gradparity.parity.judge import require_rtol
from gradparity.parity.kinks import Kinks
from gradparity.parity.rows import Unchecked
from gradparity.protocol import Batch, Dtype, HandDerivation, ModelSpec, Params, Trace, in_dtype
from gradparity.runtime import read_only

LANES: tuple[Dtype, ...] = ("float64", "float32")

NO_BATCH = Batch(np.empty(0), np.empty(0))

Named = Mapping[str, np.ndarray]
Changed: TypeAlias = Callable[[Callable[[np.ndarray], np.ndarray]], Trace]
"""Runs something where every real array that enters is changed by a function."""


class Written(NamedTuple):
    """What a derivation wrote when each of its lines was given a witness's numbers, as NumPy arrays."""

    values: Named | None
    """The forward lines; None where the forward pass is not its own."""
    gradients: Named
    value_reads: Mapping[str, tuple[str, ...]]
    """Line -> the names that it was computed from."""
    gradient_reads: Mapping[str, tuple[str, ...]]
    places: Mapping[str, Sequence[str]] = {}
    """``c['name']`` or ``d['name']`` -> where it is written, share by share, as far as known."""
    shares: Mapping[str, Sequence[np.ndarray]] = {}
    """Gradient -> the values of which it was summed, one for each place."""


class Probes(NamedTuple):
    """What was measured entry by entry: a witness that is as exact as it says."""

    trace: Trace
    accuracy: Mapping[str, float]
    """Gradient -> the largest relative error that it may have."""


class RuleRaisedError(Exception):
    """What is checked raised something: that is what is wrong with it. The message is the reason, in one line."""

    def __init__(self, reason: str, in_backward: bool = False) -> None:
        super().__init__(reason)
        self.in_backward = in_backward


@dataclass(frozen=True, eq=False)
class Subject:
    """One thing that is held against the witnesses; at least one of its two functions is there."""

    name: str
    chain: Callable[[Dtype], Trace] | None = None
    """Runs it from its inputs to the gradient of each parameter, in a lane."""
    beside: Callable[[Dtype, Trace], Written] | None = None
    """Runs a hand derivation beside a witness, whose trace each line is fed: errors do not cascade. Without it a
    machine derives, and its chain is what is compared, line by line. Raises RuleRaisedError for what ends in a row."""
    changed: Changed | None = None
    """Runs it from other numbers, so that its own rounding can be measured."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that a check needs to know, all of it NumPy."""

    name: str
    params: Named
    """What the gradient is taken with respect to, in float64, at numbers that float32 has too."""
    given: Named
    """What else enters, as a derivation calls it: ``batch.x``, ``batch.y``."""
    n: int
    """Examples in the batch; 0 where nothing counts examples."""
    truths: Mapping[str, Trace]
    """Witness -> every value and gradient in float64."""
    budgets: Budgets
    """What rounding explains in float32."""
    subjects: tuple[Subject, ...]
    lanes: tuple[Dtype, ...] = LANES
    kinks: Kinks = field(default_factory=dict)
    hand: HandDerivation | None = None
    """On NumPy float64 arrays, where there is one: differences are taken of it, and masks pinned by it at kinks."""
    batch: Batch = NO_BATCH
    """What it is run on; empty where there is none."""
    measured: Mapping[str, LossMeasurement] = field(default_factory=dict)
    """What the loss itself says, without autodiff."""
    probes: Callable[[], Probes] | None = None
    """Measures every gradient entry by entry without a machine, where nothing else can tell why one is wrong."""
    seeds: frozenset[str] = frozenset({"loss"})
    """Names whose gradient is given: where every backward pass starts. A derivation need not write them."""
    optional: frozenset[str] = frozenset()
    """Names whose gradient a derivation need not write: a loss fused into one line keeps what has none of its own."""
    spelling: Mapping[str, str] = field(default_factory=dict)
    """How the author writes what a sentence calls ``p['x']`` or ``d['output']``, where that is otherwise."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Line -> where it is made, for a derivation that does not tell when it is run."""
    rule: Callable[[], Rule | None] = lambda: None
    """The backward rule's own code, where it can be edited and run again to find what its author meant."""
    remarks: tuple[str, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    """What was asked for and cannot be compared, known before anything runs."""
    rtol: float = 0.0
    """What the user accepts: a relative error that is smaller agrees, whatever the limit is."""
    changed: Mapping[str, Changed] = field(default_factory=dict)
    """Witness -> what its truth is at other numbers."""
    code: tuple[Callable[..., Any], ...] = ()
    """The user's functions: first what is differentiated, then its rule."""
    values: Callable[[], Named] = dict
    """What is differentiated, run once more in float64."""
    again: "Callable[[], Problem] | None" = None
    """Poses the same once more, for when a number in the user's code has been changed."""

    def __post_init__(self) -> None:
        require_rtol(self.rtol)

    def spelled(self, sentence: str) -> str:
        """Put a sentence into the author's words."""
        for ours, theirs in self.spelling.items():
            sentence = sentence.replace(ours, theirs)
        return sentence

    @property
    def first(self) -> Trace:
        """The first witness's trace."""
        return next(iter(self.truths.values()))


@runtime_checkable
class DrawsOwnParams(Protocol):
    """A spec that says itself at which parameters it is checked."""

    def draw_params(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw parameters that hide no error."""


def draw_params(spec: ModelSpec, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw parameters that hide no error: none is zero, and activations keep the size of the inputs."""
    if isinstance(spec, DrawsOwnParams):
        return spec.draw_params(rng)
    return {name: normal(rng, shape) for name, shape in spec.param_shapes.items()}


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw N(0, 1/fan-in) for a matrix, N(0, 1/4) for anything else."""
    return np.asarray(rng.normal(0, 1 / np.sqrt(shape[0]) if len(shape) > 1 else 0.5, shape))


def draw(
    spec: ModelSpec, rng: np.random.Generator, n: int, batch: Batch | None = None
) -> tuple[dict[str, np.ndarray], Batch]:
    """Draw parameters and, unless a batch is given, n examples, at numbers that both lanes have."""
    require_fits(spec, n if batch is None else 0)
    params = {name: representable(p) for name, p in draw_params(spec, rng).items()}
    return params, (spec.example_batch(rng, n) if batch is None else batch).map(representable)


def representable(a: np.ndarray) -> np.ndarray:
    """Round to float32 and back, so that both lanes see the same numbers, which nobody may change."""
    return read_only(in_dtype(in_dtype(a, "float32"), "float64"))


def given_in(batch: Batch) -> dict[str, np.ndarray]:
    """Name the arrays of a batch as a derivation does."""
    extras = {f"batch.extras[{name!r}]": array for name, array in batch.extras.items()}
    return {"batch.x": batch.x, "batch.y": batch.y, **extras}


def in_order(trace: Trace, spec: ModelSpec) -> Trace:
    """Put the gradients in the order of the derivation; names that it does not have come last."""
    names = [line.name for line in spec.derivation if line.name in trace.gradients]
    declared = (*spec.param_shapes, *trace.values)
    names += [name for name in declared if name in trace.gradients and name not in names]
    return replace(trace, gradients={name: trace.gradients[name] for name in names})


def of_params(trace: Trace, params: Params) -> dict[str, np.ndarray]:
    """Return the gradients of the parameters, as far as the trace has them."""
    return {name: trace.gradients[name] for name in params if name in trace.gradients}
