"""The float32 lane's limit, measured on the problem itself: what rounding of the inputs alone would do.

The float64 result is the truth. Each number that enters is changed by one unit in the last place of float32, up or
down at random; how far that moves a named value or gradient is its sensitivity. Of two witnesses' budgets the smaller
counts, so that no witness's own weakness makes room for a mistake.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from gradparity.parity.norms import distance, norm
from gradparity.protocol import Array, Batch, HandDerivation, Key, Params, Trace
from gradparity.recording import Gradients, TappedCache, stacked

FACTOR = 16
"""Rounding inside a line adds to rounding of its inputs; sums of many terms add most."""
DRAWS = 4
ULP = float(np.finfo(np.float32).eps)

Budgets: TypeAlias = Mapping[Literal["value", "gradient"], Mapping[str, float]]
"""Kind -> name -> the largest ‖a − b‖₂ that rounding explains."""


def error_budgets(
    witnesses: Mapping[str, Callable[[Params, Batch], Trace]],
    truths: Mapping[str, Trace],
    params: Params,
    batch: Batch,
    rng: np.random.Generator,
) -> Budgets:
    """Measure the budget of every named value and gradient: the smallest of any witness.

    ``truths`` are the witnesses' float64 traces at ``params`` and ``batch``; all see the same changes.
    """
    # One trace at a time: of a large model, every one takes as much memory as the model.
    moved = {name: _Moved(truth) for name, truth in truths.items()}
    for _ in range(DRAWS):
        nearby = {name: nudged(p, ULP, rng) for name, p in params.items()}
        beside = batch.map(lambda a: nudged(a, ULP, rng))
        for name, trace in witnesses.items():
            moved[name].see(trace(nearby, beside))
    return smallest(each.budgets() for each in moved.values())


def budgets_of(truth: Trace, nearby: Iterable[Trace]) -> Budgets:
    """Return the budgets that one witness's traces give, at the point and one unit in the last place beside it."""
    moved = _Moved(truth)
    for trace in nearby:
        moved.see(trace)
    return moved.budgets()


def budgets_of_lines(hand: HandDerivation, params: Params, batch: Batch, rng: np.random.Generator) -> Budgets:
    """Return what rounding of a derivation's own named values explains, beside that of its inputs.

    Terms that nearly cancel in the middle of a chain round as their own size does, however little the inputs move it.
    """
    nearby = (rewritten(hand, params, batch, lambda _, value: nudged(value, ULP, rng)) for _ in range(DRAWS))
    return budgets_of(rewritten(hand, params, batch, lambda _, value: value), nearby)


def rewritten(hand: HandDerivation, params: Params, batch: Batch, write: Callable[[Key, Array], Array]) -> Trace:
    """Run a derivation by its own chain, where ``c`` holds what ``write`` makes of each value that it is given."""
    c, d = TappedCache(lambda key, value: write(key, np.asarray(value))), Gradients(loss=np.ones(()))
    hand.forward(params, batch, c)
    hand.backward(params, batch, c, d)
    return Trace(stacked(c), stacked(d))


def rounding_budget(moved: float, size: float) -> float:
    """Return the largest ‖a − b‖₂ that rounding explains of a result of this norm that nearby inputs so far moved."""
    return FACTOR * (moved + ULP * size)


def smallest(budgets: Iterable[Budgets]) -> Budgets:
    """Return, name by name, the smallest of several budgets; a witness need not tell every name."""
    found: dict[Literal["value", "gradient"], dict[str, float]] = {"value": {}, "gradient": {}}
    for each in budgets:
        for kind, named in each.items():
            for name, limit in named.items():
                found[kind][name] = min(limit, found[kind].get(name, limit))
    return found


def nudged(a: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Change every real number by ``size`` of itself, up or down at random; anything else stays."""
    return np.asarray(a * (1 + size * rng.choice([-1.0, 1.0], a.shape))) if a.dtype.kind == "f" else a


class _Moved:
    """How far traces from nearby have moved each name of the truth at most."""

    def __init__(self, truth: Trace) -> None:
        self._truth = truth
        self._values = dict.fromkeys(truth.values, 0.0)
        self._gradients = dict.fromkeys(truth.gradients, 0.0)

    def see(self, nearby: Trace) -> None:
        for name, value in self._truth.values.items():
            self._values[name] = max(self._values[name], distance(nearby.values[name], value))
        for name, gradient in self._truth.gradients.items():
            self._gradients[name] = max(self._gradients[name], distance(nearby.gradients[name], gradient))

    def budgets(self) -> Budgets:
        truth = self._truth
        return {
            "value": {name: rounding_budget(moved, norm(truth.values[name])) for name, moved in self._values.items()},
            "gradient": {
                name: rounding_budget(moved, norm(truth.gradients[name])) for name, moved in self._gradients.items()
            },
        }
