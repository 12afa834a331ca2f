"""Try every checker on every mutant, and on right derivations, in one run; results as plain data."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from gradparity import registry
from gradparity.parity.problem import LANES
from gradparity.protocol import HandDerivation, ModelSpec
from gradparity_mutants.others import OTHERS
from gradparity_mutants.regimes import REGIMES, WHOLE, derivation_with
from gradparity_mutants.trial import Trial, prepare, verdict_on

GRADPARITY = tuple(f"gradparity {lane}" for lane in LANES)
CHECKERS = (*GRADPARITY, *OTHERS)
MOST_PARAMETERS = 1000
"""gradcheck evaluates the loss twice for each parameter: with more than these it is not tried."""
MOST_BESIDE_OTHERS = 150
"""The others are not tried on the mutants of a larger model: they would take an hour, gradparity takes minutes."""


@dataclass(frozen=True)
class TriedMutant:
    """What each checker says of one derivation of one model."""

    model: str
    rejects: dict[str, bool | None]
    """Checker and dtype -> whether it rejects the derivation; None where it was not tried."""
    line: str = ""
    """c['name'] or d['name'] where the bug is; empty for the right derivation."""
    mutation: str = "none"
    equivalent: bool = False
    named: tuple[str, ...] = ()
    """The lines that gradparity names."""
    diagnoses: tuple[str, ...] = ()
    """What it says of them."""

    @property
    def localised(self) -> bool:
        """Whether exactly the planted line is named."""
        return self.named == (self.line,)

    @property
    def explained(self) -> bool:
        """Whether gradparity gives a cause, in every lane and against every witness."""
        return bool(self.diagnoses) and not any("no known cause" in sentence for sentence in self.diagnoses)


def witnesses() -> tuple[str, ...]:
    """Return the default backends that differentiate by machine."""
    return tuple(name for name in registry.DEFAULT if registry.backend(name).differentiation == "machine")


def try_mutants(title: str, spec: ModelSpec, progress: Callable[[str], None]) -> Iterator[TriedMutant]:
    """Yield the right derivation of a model, then each mutant."""
    trial = prepare(spec, witnesses())
    others = OTHERS if _parameters(trial) <= MOST_BESIDE_OTHERS else ()
    yield _try(trial, trial.hand, title, others)
    for mutant in trial.mutants():
        progress(f"{title}: {mutant.where} {mutant.mutation}")
        tried = _try(trial, mutant.hand, title, others)
        yield replace(tried, line=mutant.where, mutation=mutant.mutation, equivalent=mutant.equivalent)


def try_regimes(progress: Callable[[str], None]) -> Iterator[TriedMutant]:
    """Yield right, all-zero and negated whole gradients on each regime."""
    for regime in REGIMES:
        trial = regime.trial(witnesses())
        large = _parameters(trial) > MOST_PARAMETERS
        others = [name for name in OTHERS if not (large and name.startswith("gradcheck"))]
        for name, change in WHOLE.items():
            progress(f"{regime.title}: {name}")
            yield replace(_try(trial, derivation_with(trial, change), regime.title, others), mutation=name)


def _try(trial: Trial, hand: HandDerivation, model: str, others: Collection[str]) -> TriedMutant:
    verdict = verdict_on(trial, hand)
    rejects: dict[str, bool | None] = {f"gradparity {lane}": caught for lane, caught in verdict.caught.items()}
    for name, (objects, dtype) in OTHERS.items():
        rejects[name] = objects(trial, hand, dtype) if name in others else None
    return TriedMutant(model, rejects, named=verdict.named, diagnoses=verdict.diagnoses)


def _parameters(trial: Trial) -> int:
    return sum(p.size for p in trial.problem.params.values())
