"""What a learner's file is tried on: drawn numbers, and the gradients that a witness finds there."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.exercise.answer import line_of
from gradparity.exercise.catalog import Exercise
from gradparity.parity import differences
from gradparity.parity.problem import Problem, draw, given_in
from gradparity.parity.rows import DIFFERENCES
from gradparity.protocol import Backend, Batch, Params, Trace
from gradparity.recording import Recorder, name_of, part
from gradparity.subjects.model_file import UserModel, adopt

DRAWS = (11, 6)
"""Examples of each draw: a number that stands where n belongs is right for one of them at most."""
MACHINES = ("torch", "jax")
"""The one that starts more quickly first."""


class Witness(NamedTuple):
    """What knows the right gradients."""

    name: str
    trace: Callable[[UserModel, Params, Batch], Trace]


def witness() -> Witness:
    """Return an installed backend that differentiates by machine; where there is none, differences of the loss."""
    for name in MACHINES:
        if (found := registry.availability(name).backend) is not None:
            return of_machine(found)
    return Witness(DIFFERENCES, _by_differences)


def of_machine(backend: Backend) -> Witness:
    """Return a backend that differentiates by machine as a witness."""
    return Witness(backend.name, lambda spec, params, batch: backend.model(spec, "float64").trace(params, batch))


def _by_differences(spec: UserModel, params: Params, batch: Batch) -> Trace:
    found = differences.witness(spec.hand.forward, params, batch, np.random.default_rng(0), {})
    if found.measured:
        raise UsageError(
            f"this exercise needs a machine, for {', '.join(found.measured)} cannot be told from the loss alone: "
            "run  pip install 'gradparity[torch]'"
        )
    return found.trace


def drawn(exercise: Exercise, seed: int = 0) -> list[tuple[Params, Batch]]:
    """Draw the numbers that an answer is run on."""
    spec = given(exercise)
    return [draw(spec, np.random.default_rng((seed, n)), n) for n in DRAWS]


def problems(exercise: Exercise, asked: Witness, draws: Iterable[tuple[Params, Batch]]) -> Iterator[Problem]:
    """Let the witness differentiate the exercise's own forward pass at each draw."""
    spec = given(exercise)
    for params, batch in draws:
        truth = _by_pass(asked.trace(spec, params, batch), spec, params, batch)
        yield Problem(
            name=spec.name,
            params=params,
            given=given_in(batch),
            n=len(batch.x),
            truths={asked.name: truth},
            budgets={},
            subjects=(),
            lanes=("float64",),
            batch=batch,
        )


def _by_pass(trace: Trace, spec: UserModel, params: Params, batch: Batch) -> Trace:
    """Return the trace with a line for every pass of a loop, for a wrong pass makes those after it wrong as well."""
    c = Recorder("c", {})
    spec.hand.forward(params, batch, c)

    def lines(of: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {line_of(key): part(of[name_of(key)], key) for key in [*c.data, *params] if name_of(key) in of}

    return Trace(lines(trace.values), lines(trace.gradients))


def given(exercise: Exercise) -> UserModel:
    """Return the exercise as it is before anything is written in it."""
    namespace: dict[str, Any] = {"__name__": "exercise"}
    exec(compile(exercise.text, "<exercise>", "exec"), namespace)
    return adopt(namespace)
