"""Who is timed against whom, and the ratio that each is meant to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from gradparity import registry
from gradparity_bench import framework_loop
from gradparity_bench.task import Loop, Task, Weights

NOTEBOOK = "notebook"
PYTORCH = "PyTorch loop"
INLINED = "{} inlined"

BASELINES = {
    NOTEBOOK: ("numpy", "notebook"),
    PYTORCH: ("torch", "pytorch_loop"),
    **{INLINED.format(name): (name, f"inlined_{name}") for name in registry.DEFAULT},
}
"""Name -> the backend whose library the loop needs, and its module in this package."""


@dataclass(frozen=True)
class Contest:
    """Loops that are timed in turns: a baseline, and each other loop with the largest ratio to it that is wanted."""

    baseline: str
    targets: Mapping[str, float | None]
    """Backend -> ratio; None where nothing is promised."""

    @property
    def loops(self) -> tuple[str, ...]:
        """The names of all its loops."""
        return (self.baseline, *self.targets)


SPEED = (
    Contest(NOTEBOOK, {"numpy": 0.80, "jax": 0.80, "torch": None, "jax-manual": None, "torch-manual": None}),
    Contest(PYTORCH, {"torch": 0.60}),
)
OVERHEAD = tuple(Contest(INLINED.format(name), {name: 1.03}) for name in registry.DEFAULT)
"""Each framework loop against the same operations written without the framework."""


def loop(name: str) -> Loop:
    """Return a baseline's loop or a backend's. Raises UsageError where what it needs is not installed."""
    if name not in BASELINES:
        return partial(framework_loop.train, registry.backend(name))
    needed, module = BASELINES[name]
    registry.backend(needed)
    train: Loop = import_module(f"gradparity_bench.{module}").train
    return train


def first_epoch(name: str, task: Task) -> Weights:
    """Return the weights after one epoch in the task's own order. Raises UsageError as ``loop`` does."""
    train = loop(name)
    if name != PYTORCH:
        return next(train(task))
    from gradparity_bench import pytorch_loop

    # Alone among the loops it draws an order of its own.
    _, rng = task.start()
    return next(pytorch_loop.train(task, order=rng.permutation(len(task.examples))))
