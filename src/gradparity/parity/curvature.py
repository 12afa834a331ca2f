"""How a gradient changes when all parameters move along one direction: the Hessian-vector product H·v.

A gradient can be right at the numbers that it was checked at and wrong beside them, as where a number stands for what
should follow the parameters. What differentiates twice, a Newton step or a gradient penalty, sees that. Here a machine
says what H·v is; a gradient that no machine differentiates is measured at p ± h·v, as a loss is in ``differences``.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import numpy as np
from jaxtyping import Float

from gradparity.parity import derivative
from gradparity.parity.differences import DIRECTIONS, LossMeasurement, agreement_with
from gradparity.parity.judge import FLOAT64_LIMIT, TOO_LOOSE
from gradparity.parity.norms import norm, relative_error, typical_size
from gradparity.parity.perturbed import Direction
from gradparity.parity.rows import Row, Unchecked

Named = Mapping[str, Float[np.ndarray, "..."]]
Found = Row | Unchecked

WRONG = (
    "(Hv)[{!r}] is wrong: the gradient is right at these parameters, and changes otherwise than it should when they "
    "move, as where a number stands for something that depends on them"
)


def draw_direction(params: Named, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw a normal direction, as large as each parameter."""
    return {name: np.asarray(rng.normal(size=p.shape) * typical_size(p)) for name, p in params.items()}


def measured_along(
    gradient: Callable[[Named], Named], params: Named, v: Named, rng: np.random.Generator
) -> dict[str, LossMeasurement]:
    """Measure how each parameter's gradient changes along v, each by a few random numbers made of its entries.

    Such a number is u·gradient; its derivative along v is u·(H·v). All of them are taken from the same some forty
    gradients, near ``params``.
    """
    weights = {
        name: [np.asarray(rng.normal(size=p.shape) * typical_size(p)) for _ in range(DIRECTIONS)]
        for name, p in params.items()
    }

    @cache
    def at(t: float) -> dict[str, list[float]]:
        with np.errstate(all="ignore"):  # a large step may overflow: it is left out
            found = gradient({name: p + t * v[name] for name, p in params.items()})
        return {name: [float(np.vdot(found[name], u)) for u in own] for name, own in weights.items()}

    def number(name: str, i: int, t: float) -> float:
        return at(t)[name][i]

    def measurement(name: str) -> LossMeasurement:
        directions, noises = [], []
        for i, u in enumerate(weights[name]):
            noises.append(derivative.noise(partial(number, name, i)))
            along = derivative.measured(partial(number, name, i), number(name, i, 0.0), noises[-1])
            if along is not None:
                directions.append(Direction(u, *along))
        # Along one direction all meet the same kinks: where one does, there is no derivative.
        whole = tuple(directions) if len(directions) == DIRECTIONS else ()
        return LossMeasurement(name, "central differences", whole, 0, max(noises))

    return {name: measurement(name) for name in params}


def machine_rows(backend: str, witness: str, found: Named, truth: Named) -> Iterator[Found]:
    """Compare H·v of two machines, or of a hand derivation that a machine differentiates."""
    largest = max(map(norm, truth.values()), default=0.0)
    for name, right in truth.items():
        yield _row(name, backend, witness, relative_error(np.asarray(found[name]), right, largest), FLOAT64_LIMIT)


def measured_rows(backend: str, witness: str, measured: Mapping[str, LossMeasurement], truth: Named) -> Iterator[Found]:
    """Compare what a gradient was measured to do with H·v of a machine."""
    for name, right in truth.items():
        found = agreement_with(measured[name], right) if measured[name].directions else None
        if found is None or (found.agrees and found.limit > TOO_LOOSE):
            why = "its gradient has no derivative along v: these numbers are at a kink"
            yield Unchecked(f"(Hv)[{name!r}]", backend, why)
        else:
            yield _row(name, backend, witness, found.error, found.limit, found.slope)


def _row(name: str, backend: str, witness: str, error: float, limit: float, slope: float | None = None) -> Row:
    why = "" if error <= limit else WRONG.format(name)
    return Row(name, "Hessian-vector product", backend, witness, "float64", error, limit, diagnosis=why, slope=slope)
