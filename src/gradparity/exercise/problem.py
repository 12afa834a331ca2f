"""What a learner's file is tried on: drawn numbers, and the gradients that a machine finds there."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.exercise.catalog import Exercise
from gradparity.parity.problem import Problem, draw, given_in
from gradparity.protocol import Array, Backend, Trace
from gradparity.subjects.model_file import UserModel, adopt

DRAWS = (11, 6)
"""Examples of each draw: a number that stands where n belongs is right for one of them at most."""
WITNESSES = ("torch", "jax")
"""The one that starts more quickly first."""


def witness() -> Backend:
    """Return an installed backend that differentiates by machine. Raises UsageError where there is none."""
    for name in WITNESSES:
        if (found := registry.availability(name).backend) is not None:
            return found
    raise UsageError("PyTorch or JAX checks an exercise, and neither is here: run  pip install 'gradparity[torch]'")


def problems(exercise: Exercise, machine: Backend) -> Iterator[Problem]:
    """Draw numbers, and let the machine differentiate the exercise's own forward pass there."""
    spec = given(exercise)
    model = machine.model(spec, "float64")
    for seed, n in enumerate(DRAWS):
        params, batch = draw(spec, np.random.default_rng(seed), n)
        found = model.trace(params, batch)
        batch = batch.map(read_only)
        yield Problem(
            name=spec.name,
            params=_read_only(params),
            given=given_in(batch),
            n=n,
            truths={machine.name: Trace(_read_only(found.values), _read_only(found.gradients))},
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
