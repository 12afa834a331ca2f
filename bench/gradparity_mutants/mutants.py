"""Every mutant of a derivation: each line with each bug that its shape allows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gradparity.parity.norms import norm, relative_error
from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity.recording import stacked
from gradparity_mutants.mutations import mutations
from gradparity_mutants.plant import Change, PlantSite, Symbol, chain, plant, shares

SAME = 1e-14
"""A change smaller than this, relative to the line, is rounding: the mutant computes the same."""


@dataclass(frozen=True)
class Mutant:
    """A derivation with one bug in one line."""

    symbol: Symbol
    line: str
    mutation: str
    hand: HandDerivation
    equivalent: bool
    """Whether the bug changes no more than rounding: a transposed symmetric array, a mask that is one everywhere."""

    @property
    def where(self) -> str:
        """The line as it is written in the derivation."""
        return f"{self.symbol}['{self.line}']"


def mutants(hand: HandDerivation, p: Params, batch: Batch, other: Batch) -> Iterator[Mutant]:
    """Yield every mutant of a derivation, in the order of its lines.

    ``p`` and ``batch`` show what the bugs change; ``other``, another batch of as many examples, is what is stale.
    """
    right = dict(zip(("c", "d"), map(stacked, chain(hand, p, batch)), strict=True))
    for (symbol, line), count in shares(hand, p, batch).items():
        for mutation, change in mutations(other, count).items():
            planted: list[PlantSite] = []
            with np.errstate(all="ignore"):
                found = chain(plant(hand, symbol, line, _noting(change, planted)), p, batch)
            if planted:
                wrong = dict(zip(("c", "d"), map(stacked, found), strict=True))[symbol][line]
                # The gradient of the keys' bias is zero by mathematics: twice that is the same.
                upstream = max((norm(np.asarray(at.read[-1])) for at in planted if at.read), default=0.0)
                error = relative_error(np.asarray(wrong), np.asarray(right[symbol][line]), upstream)
                yield Mutant(symbol, line, mutation, plant(hand, symbol, line, change), equivalent=error <= SAME)


def _noting(change: Change, planted: list[PlantSite]) -> Change:
    def noted(value: Array, at: PlantSite) -> Array | None:
        changed = change(value, at)
        if changed is not None:
            planted.append(at)
        return changed

    return noted
