"""The witnesses of plain code: dL/d(variable), from probes at the assignments."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gradparity.parity.differences import LossMeasurement, measure
from gradparity.parity.probes import SECONDS, ProbedGradient, probed
from gradparity.parity.problem import NO_BATCH
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.recording import Variable


@dataclass(eq=False)
class Truths:
    """What the loss says of variables, measured when it is asked."""

    loss: LossOf
    seed: int
    gradients: dict[int, ProbedGradient] = field(default_factory=dict)
    at_kinks: set[int] = field(default_factory=set)
    too_large: set[int] = field(default_factory=set)

    def learn(self, variables: Iterable[Variable], seconds: float = SECONDS) -> None:
        """Measure the gradients of these variables, entry by entry where they are small enough."""
        unknown = {*self.gradients, *self.at_kinks, *self.too_large}
        wanted = {label(v): v for v in variables if v.number not in unknown}
        if not wanted:
            return
        values = {name: v.value for name, v in wanted.items()}
        found = probed(self.loss, values, np.random.default_rng(self.seed), seconds)
        self.gradients |= {wanted[name].number: gradient for name, gradient in found.gradients.items()}
        self.at_kinks |= {wanted[name].number for name in found.at_kinks}
        self.too_large |= {wanted[name].number for name in found.too_large}

    @property
    def arrays(self) -> dict[int, np.ndarray]:
        """The gradients that are known."""
        return {number: found.gradient for number, found in self.gradients.items()}

    def along_directions(self, variables: Iterable[Variable]) -> dict[str, LossMeasurement]:
        """Measure the loss along random directions of variables too large for more."""
        values = {label(v): v.value for v in variables}

        def forward(moved: dict[str, np.ndarray], _: object, c: dict[str, np.ndarray]) -> None:
            change = {name: moved[name] - value for name, value in values.items() if moved[name] is not value}
            c["loss"] = self.loss(change)

        return measure(forward, values, NO_BATCH, np.random.default_rng(self.seed), {}) if values else {}  # type: ignore[arg-type]


def label(variable: Variable) -> str:
    """Call a variable by its number, which no other has."""
    return str(variable.number)
