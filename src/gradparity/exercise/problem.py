"""What a learner's file is tried on: drawn numbers, and the gradients that a witness finds there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.exercise.catalog import Exercise
from gradparity.parity import differences
from gradparity.parity.problem import Problem, draw, given_in
from gradparity.parity.rows import DIFFERENCES
from gradparity.protocol import Array, Backend, Batch, Params, Trace
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


def problems(exercise: Exercise, asked: Witness) -> Iterator[Problem]:
    """Draw numbers, and let the witness differentiate the exercise's own forward pass there."""
    spec = given(exercise)
    for seed, n in enumerate(DRAWS):
        params, batch = draw(spec, np.random.default_rng(seed), n)
        found = asked.trace(spec, params, batch)
        batch = batch.map(read_only)
        yield Problem(
            name=spec.name,
            params=_read_only(params),
            given=given_in(batch),
            n=n,
            truths={asked.name: Trace(_read_only(found.values), _read_only(found.gradients), found.accuracy)},
            budgets={},
            subjects=(),
            lanes=("float64",),
            batch=batch,
        )


def given(exercise: Exercise) -> UserModel:
    """Return the exercise as it is before anything is written in it."""
    namespace: dict[str, Any] = {"__name__": "exercise"}
    exec(compile(exercise.text, "<exercise>", "exec"), namespace)
    return adopt(namespace)


def read_only(array: Array) -> np.ndarray:
    """Return a copy that NumPy itself refuses to change."""
    own = np.array(array)
    own.flags.writeable = False
    return own


def _read_only(named: Mapping[str, Array]) -> dict[str, np.ndarray]:
    return {name: read_only(array) for name, array in named.items()}
