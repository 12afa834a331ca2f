"""What a learner's file is tried on: drawn numbers, and the gradients that a machine finds there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError
from gradparity.exercise.catalog import Exercise
from gradparity.parity.check import draw_params, representable
from gradparity.protocol import Array, Backend, Batch, Params, Trace
from gradparity.subjects.model_file import UserModel, adopt

DRAWS = (11, 6)
"""Examples of each draw: a number that stands where n belongs is right for one of them at most."""
WITNESSES = ("torch", "jax")
"""The one that starts more quickly first."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Numbers to try a derivation on, read-only, and every value and gradient there, by machine."""

    params: Params
    batch: Batch
    truth: Trace


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
        rng = np.random.default_rng(seed)
        params = {name: representable(p) for name, p in draw_params(spec, rng).items()}
        batch = spec.example_batch(rng, n).map(representable)
        found = model.trace(params, batch)
        values = {name: read_only(value) for name, value in found.values.items()}
        gradients = {name: read_only(value) for name, value in found.gradients.items()}
        own = {name: read_only(p) for name, p in params.items()}
        yield Problem(own, batch.map(read_only), Trace(values, gradients))


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
