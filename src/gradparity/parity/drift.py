"""How far training runs move apart, step by step, and how much of that rounding explains.

Rounding's share is measured on the problem itself. A backend is run in the same dtype, from weights and on inputs
that are ``UNITS`` units in the last place off; how far its runs separate from the float64 truth, times ``FACTOR``, is
the share. In the dtype, because rounding inside a step is not always like a change of what enters it: once training
comes to probabilities near 1, P − Y loses digits that no change of the inputs takes. From nearby, and in pairs of
opposite signs, because some of it is chance: where rounding can carry a value over a kink (a ReLU at zero), or turn
the sign of a tiny gradient that Adam makes large, one run of a pair goes over as well.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float

from gradparity.errors import UsageError
from gradparity.parity.budget import nudged
from gradparity.parity.norms import ZERO, distance, norm
from gradparity.protocol import Backend, Batch, Dtype, Params, TrainStep
from gradparity.runtime import Resumes, UpdateRule

UNITS = 8
"""How far off a nearby run starts, in units in the last place: further than rounding goes."""
FACTOR = 4
"""Two runs that go over the same kink are as far from the truth as each other; this leaves room for a second one."""
PAIRS = 2

Run: TypeAlias = Callable[[Batch], dict[str, np.ndarray]]
"""Takes the next step, on this batch, and returns the parameters after it, in float64."""
Distances: TypeAlias = Float[np.ndarray, "steps params"]
"""‖p − p*‖₂ of each parameter from the truth's, after each step."""
Key = TypeVar("Key", bound=Hashable)


def start(backend: Backend, step: TrainStep, params: Params, lanes: Sequence[Dtype] = ()) -> Run:
    """Return a run that starts from ``params``.

    Taking a step raises UsageError where the optimiser remembers what is beyond one of ``lanes``: there its updates
    would silently become zero, in each library at another size, and that is the lane's range and not a mistake.
    """
    state = step.start(params)

    def take(batch: Batch) -> dict[str, np.ndarray]:
        nonlocal state
        # A diverging run overflows: its distance says so, at which step, and a warning beside it would say less.
        with np.errstate(over="ignore", invalid="ignore"):
            state, _ = step(state, batch)
        _require_within(lanes, backend, step, state)
        return {name: backend.to_numpy(p).astype(np.float64) for name, p in step.params(state).items()}

    return take


def _require_within(lanes: Sequence[Dtype], backend: Backend, step: TrainStep, state: Any) -> None:
    if not lanes or not isinstance(step, Resumes):
        return
    try:
        remembered = step.remembered(state).values()
    except UsageError:  # a third party's optimiser, which does not tell
        return
    largest = max((float(np.abs(backend.to_numpy(memory)).max(initial=0.0)) for memory in remembered), default=0.0)
    for lane in lanes:
        # A square is made before the small share of it that is remembered: it may be 1/ε as large.
        if largest > float(np.finfo(lane).max) * float(np.finfo(lane).eps):
            raise UsageError(
                f"training leaves the range of {lane}: the optimiser remembers {largest:.0e} in float64, whose parts "
                "overflow there: lower --lr"
            )


def start_nearby(backend: Backend, step: TrainStep, params: Params, lane: Dtype, seed: int) -> list[Run]:
    """Return runs whose weights and batches are ``UNITS`` units in the last place of ``lane``'s dtype off."""

    def nearby(pair: int, sign: int) -> Run:
        rng = np.random.default_rng([seed, pair])
        size = sign * UNITS * float(np.finfo(lane).eps)
        run = start(backend, step, {name: nudged(p, size, rng) for name, p in params.items()})
        return lambda batch: run(batch.map(lambda a: nudged(a, size, rng)))

    return [nearby(pair, sign) for pair in range(PAIRS) for sign in (1, -1)]


@dataclass(frozen=True)
class Course:
    """The truth's way through the parameters."""

    names: tuple[str, ...]
    sizes: Float[np.ndarray, "moments params"]
    """‖p*‖₂ at the start and after each step."""
    lengths: Distances
    """‖p* − p*‖₂ from before each step to after it."""

    @property
    def scales(self) -> Float[np.ndarray, "moments params"]:
        """What a distance is compared with: ‖p*‖₂, or that of all parameters where p* is zero by mathematics."""
        overall = together(self.sizes)[:, None]
        return np.where(self.sizes <= ZERO * overall, overall, self.sizes)

    def relative(self, distances: Distances) -> tuple[float, ...]:
        """Return the distance over all parameters together, relative to their size, after each step."""
        return tuple(ratio(together(distances), together(self.sizes[1:])).tolist())


def together(norms: Float[np.ndarray, "moments params"]) -> Float[np.ndarray, " moments"]:
    """Return the norm over all parameters, from that of each, without squares that overflow."""
    return np.asarray(np.hypot.reduce(norms, axis=1))


def ratio(a: Float[np.ndarray, "*shape"], b: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """a / b of numbers that are not negative: 0 / 0 is 0, for nothing has drifted, and ∞ / b is ∞ for every b."""
    return np.asarray(np.divide(a, b, out=np.where(a > 0.0, np.inf, 0.0), where=(b > 0.0) & np.isfinite(a)))


def follow(
    params: Params, truth: Run, runs: Mapping[Key, Run], batches: Iterable[Batch]
) -> tuple[Course, dict[Key, Distances]]:
    """Take every run along with the truth, a step for each batch; return the truth's course and each run's distances.

    A run that holds a NaN or an infinity is infinitely far. Raises UsageError where the truth does.
    """
    names = tuple(params)
    sizes, lengths = [[norm(params[name]) for name in names]], []
    apart: dict[Key, list[list[float]]] = {key: [] for key in runs}
    before = params
    for batch in batches:
        true = truth(batch)
        sizes.append([norm(true[name]) for name in names])
        lengths.append([distance(true[name], before[name]) for name in names])
        if not np.isfinite(lengths[-1]).all():
            raise UsageError(
                f"training diverges: parameters are NaN or infinite in float64 at step {len(lengths)}: lower --lr"
            )
        for key, run in runs.items():
            own = run(batch)
            apart[key].append([distance(own[name], true[name]) for name in names])
        before = true
    return Course(names, np.array(sizes), np.array(lengths)), {key: np.array(own) for key, own in apart.items()}


def budget(course: Course, spread: Sequence[Distances], lane: Dtype, rule: UpdateRule) -> Distances:
    """Return the largest ‖p − p*‖₂ that rounding explains; ``spread`` is that of one backend's nearby runs.

    A step's rounding of the stored parameters is random, so k of them add up like √k; the rounding of the optimiser's
    constants is the same in every step, so it adds up along the way. A nearby run that is NaN or infinite says nothing;
    where all of them are, the budget is infinite.
    """
    finite = np.where(np.isfinite(spread), spread, -1.0).max(axis=0)
    separation = np.where(finite < 0.0, np.inf, finite)
    taken = np.arange(1, len(course.lengths) + 1)[:, None]
    stored = np.sqrt(taken) * np.maximum.accumulate(course.scales)[1:]
    stepped = np.cumsum(rule.magnification(taken) * course.lengths, axis=0)
    return np.asarray(FACTOR * (separation + np.finfo(lane).eps * (stored + stepped)))
