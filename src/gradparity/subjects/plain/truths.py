"""The witnesses of plain code: dL/d(variable), from a machine where one runs the code, and from probes of its loss."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradparity.inputs import independent
from gradparity.parity.differences import LossMeasurement, measure
from gradparity.parity.probes import ProbedGradient, probed
from gradparity.parity.problem import NO_BATCH
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.machine import Machine
from gradparity.subjects.plain.variables import Variable

PATIENCE = 3.0
"""Seconds that it may take to measure gradients entry by entry, before random directions have to do."""
BESIDE = 0.1
"""The same, where a machine has told them already."""


@dataclass(eq=False)
class Truths:
    """What the loss says of variables, measured when it is asked."""

    loss: LossOf
    seed: int
    machine: Machine | None = None
    scale: float = 1.0
    """What the code's gradients on the way are multiplied by, where it divides by it only at the parameters: by the
    number of examples, as in dZ = A - Y; dW = dZ @ A.T / m."""
    gradients: dict[int, ProbedGradient] = field(default_factory=dict)
    """The number of a variable -> what is held to be right: the machine's where it tells."""
    measured: dict[int, ProbedGradient] = field(default_factory=dict)
    """What the loss itself says, entry by entry."""
    at_kinks: set[int] = field(default_factory=set)
    too_large: set[int] = field(default_factory=set)

    def learn(self, variables: Iterable[Variable], seconds: float | None = None) -> None:
        """Find the gradients of these variables: ask the machine, else the loss, where they are small enough."""
        unknown = {*self.gradients, *self.at_kinks, *self.too_large}
        wanted = {v.number: v for v in variables if v.number not in unknown}
        told = {} if self.machine is None else self.machine.gradients
        for number, v in wanted.items():
            if number in told or not self.loss.comes_after(v):
                found = told.get(number, np.zeros(v.value.shape))
                self.gradients[number] = _times(ProbedGradient(found, 0.0, exactly=True), self.factor(v))
        self._measure(
            [v for number, v in wanted.items() if number not in self.gradients],
            PATIENCE if seconds is None else seconds,
        )
        self.gradients.update((number, self.measured[number]) for number in wanted if number in self.measured)

    def confirm(self, variables: Iterable[Variable]) -> None:
        """Measure without the machine what it has told; what has no derivative is no longer held to be known."""
        if self.machine is not None:
            told = {v.number: v for v in variables if v.number in self.machine.gradients}
            self._measure(list(told.values()), BESIDE)
        for number in self.at_kinks:
            self.gradients.pop(number, None)

    def _measure(self, variables: Sequence[Variable], seconds: float) -> None:
        wanted = {label(v): v for v in variables}
        if not wanted:
            return
        values = {name: v.value for name, v in wanted.items()}
        found = probed(self.loss, values, independent(self.seed, "probes"), seconds)
        for name, gradient in found.gradients.items():
            self.measured[wanted[name].number] = _times(gradient, self.factor(wanted[name]))
        self.at_kinks |= {wanted[name].number for name in found.at_kinks}
        self.too_large |= {wanted[name].number for name in found.too_large}

    def factor(self, variable: Variable) -> float:
        """How many times its gradient the code means by that of a variable; what counts examples is on the way, too."""
        return 1.0 if variable.is_input and self.scale not in variable.value.shape else self.scale

    def at_scale(self, scale: float) -> "Truths":
        """Return the same, measured in another unit."""
        variables = {v.number: v for v in self.loss.recording.variables}
        other = replace(self, scale=scale, gradients={}, measured={}, at_kinks={*self.at_kinks})
        for ours, theirs in ((self.gradients, other.gradients), (self.measured, other.measured)):
            for number, gradient in ours.items():
                variable = variables[number]
                theirs[number] = _times(gradient, other.factor(variable) / self.factor(variable))
        other.too_large = {*self.too_large}
        return other

    @property
    def arrays(self) -> dict[int, np.ndarray]:
        """The gradients that are known."""
        return {number: found.gradient for number, found in self.gradients.items()}

    def along_directions(self, variables: Iterable[Variable]) -> dict[str, LossMeasurement]:
        """Measure the loss along random directions of variables too large for more."""
        values = {label(v): v.value for v in variables}

        def forward(moved: Mapping[str, Any], _: object, c: Any) -> None:
            change = {name: moved[name] - value for name, value in values.items() if moved[name] is not value}
            c["loss"] = self.loss(change)

        return measure(forward, values, NO_BATCH, independent(self.seed, "directions"), {}) if values else {}


def _times(found: ProbedGradient, factor: float) -> ProbedGradient:
    return found._replace(gradient=np.asarray(found.gradient * factor), accuracy=float(found.accuracy * abs(factor)))


def label(variable: Variable) -> str:
    """Call a variable by its number, which no other has."""
    return str(variable.number)
