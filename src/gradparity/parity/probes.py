"""The witness that needs no machine at all: dL/d(name), entry by entry, from the loss alone.

It knows nothing of models. What is checked is a callable ``loss(change)``, which runs with ``change[name]`` added to
each of these named values, wherever they are used from then on, and returns the loss. A change is a *probe* of size h:

    >>> def loss(change):
    ...     z = x @ W + change.get("z", 0)
    ...     return np.mean(np.tanh(z) ** 2)
    >>> probed(loss, {"z": x @ W}, np.random.default_rng(0)).gradients["z"].gradient    # dL/dz, in the shape of z

Where the loss takes complex numbers, a complex step h of each entry gives the derivative exact to rounding: one run an
entry. That is taken only where it agrees with central differences along a random direction; everywhere else central
differences do, extrapolated, which cost six runs or more, and tell themselves how exact they are.

A large array costs too many runs: it is left out, and named. ``differences`` asks it along a few directions instead.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.effort import seconds_of
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import norm, usual_size
from gradparity.protocol import Array

LossOfChange: TypeAlias = Callable[[Mapping[str, Array]], Array]
"""Changes, real or complex, by name -> the loss, a number; NaN where a change crosses a kink that is known of."""

SECONDS = 3.0
"""What is measured entry by entry takes about this long at most, the smallest arrays first: see ``effort``."""
FEW_STEPS: Float[np.ndarray, " steps"] = derivative.STEPS[1:4]
"""Enough for an entry along which the loss is smooth: its error falls with the product of their squares."""
EPS = float(np.finfo(np.float64).eps)
MISSED = 4.0
"""The error along one direction is a normal number times the gradient's: it is seldom this many times smaller."""


class ProbedGradient(NamedTuple):
    """dL/d(name), as measured."""

    gradient: Float[np.ndarray, "..."]
    accuracy: float
    """The largest ‖error‖₂ that it may have."""
    exactly: bool
    """By complex steps, exact to rounding; else by central differences."""


class Probed(NamedTuple):
    """What the loss tells about its named values."""

    gradients: dict[str, ProbedGradient]
    at_kinks: tuple[str, ...]
    """Names at which the loss has no derivative, in an entry at least."""
    too_large: tuple[str, ...]
    """Names of too many entries."""


def probed(
    loss: LossOfChange,
    values: Mapping[str, Float[np.ndarray, "..."]],
    rng: np.random.Generator,
    seconds: float = SECONDS,
) -> Probed:
    """Measure the gradient of each named value, here in float64, entry by entry.

    ``loss`` must give the same number each time for the same changes, and is only asked about names in ``values``.
    """
    asked = _Asked(loss, values, rng)
    found: dict[str, ProbedGradient | None] = {}
    left = seconds
    for name in sorted(values, key=lambda name: values[name].size):
        exactly = asked.takes_complex_steps(name)
        needed = asked.seconds(name, exactly)
        if needed <= left:
            left -= needed
            found[name] = asked.by_complex_steps(name) if exactly else asked.by_differences(name)
    return Probed(
        {name: found[name] for name in values if found.get(name) is not None},  # type: ignore[misc]
        tuple(name for name in values if name in found and found[name] is None),
        tuple(name for name in values if name not in found),
    )


class _Asked:
    """A loss, how exact it is here, and how long it takes."""

    def __init__(
        self, loss: LossOfChange, values: Mapping[str, Float[np.ndarray, "..."]], rng: np.random.Generator
    ) -> None:
        self._loss = loss
        self._values = values
        self._sizes = {name: usual_size(value) for name, value in values.items()}
        self._directions = {
            name: np.asarray(rng.normal(size=value.shape) * self._sizes[name]) for name, value in values.items()
        }

        def along(t: float) -> float:
            return self._real({name: t * v for name, v in self._directions.items()})

        self._noise = derivative.single_noise(along) or derivative.noise(along)
        self._here = self._real({})
        entries = sum(value.size for value in values.values())
        self._run_seconds = seconds_of(lambda: self._real({}), entries)

    def takes_complex_steps(self, name: str) -> bool:
        """Whether a complex step along a random direction gives what differences do."""
        along = self._along(name, self._directions[name])
        exact = self._complex(name, self._directions[name])
        return along is not None and exact is not None and abs(exact - along.derivative) <= along.accuracy

    def seconds(self, name: str, exactly: bool) -> float:
        """Return about how long all entries of a name take, and to see whether it takes complex steps."""
        runs = self._values[name].size * (1 if exactly else 2 * len(FEW_STEPS))
        return (runs + 2 * len(derivative.STEPS)) * self._run_seconds

    def by_complex_steps(self, name: str) -> ProbedGradient:
        """Measure the gradient of a name that takes complex steps."""
        size = self._sizes[name]
        found = np.array([self._complex(name, self._entry(name, i)) for i in self._places(name)], dtype=float) / size
        rounding = derivative.ROUNDING * (self._noise / size * np.sqrt(found.size) + EPS * norm(found))
        return ProbedGradient(found.reshape(self._values[name].shape), float(rounding), exactly=True)

    def by_differences(self, name: str) -> ProbedGradient | None:
        """Measure the gradient of a name; None where the loss has no derivative along one of its entries."""
        size, places = self._sizes[name], self._places(name)
        found = [self._along(name, self._entry(name, i), FEW_STEPS) for i in places]
        # Where the few steps meet a kink, or leave more unknown than a formula may err by, all are tried.
        enough = (
            FLOAT64_LIMIT * norm(np.array([each.derivative for each in found if each])) / np.sqrt(max(len(found), 1))
        )
        for i in places:
            first = found[i]
            if first is None or first.accuracy > enough:
                found[i] = self._along(name, self._entry(name, i))
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        gradient = np.array([each.derivative for each in known]).reshape(self._values[name].shape) / size
        told = norm(np.array([each.accuracy for each in known]))
        return ProbedGradient(gradient, max(told, self._unexplained(name, gradient)) / size, exactly=False)

    def _unexplained(self, name: str, gradient: Float[np.ndarray, "..."]) -> float:
        """Return how much a direction tells otherwise than its entries do, beyond what it may err by itself."""
        v = self._directions[name]
        along = self._along(name, v)
        return (
            0.0 if along is None else MISSED * max(0.0, abs(np.vdot(gradient, v) - along.derivative) - along.accuracy)
        )

    def _places(self, name: str) -> range:
        return range(self._values[name].size)

    def _entry(self, name: str, place: int) -> Float[np.ndarray, "..."]:
        direction = np.zeros(self._values[name].shape)
        direction.flat[place] = self._sizes[name]
        return direction

    def _along(
        self, name: str, v: Float[np.ndarray, "..."], steps: Float[np.ndarray, " steps"] = derivative.STEPS
    ) -> derivative.Measured | None:
        return derivative.measured(lambda t: self._real({name: t * v}), self._here, self._noise, steps)

    def _complex(self, name: str, v: Float[np.ndarray, "..."]) -> float | None:
        return derivative.complex_step(lambda t: complex(self._loss({name: t * v})))

    def _real(self, change: Mapping[str, Array]) -> float:
        return float(self._loss(change))
