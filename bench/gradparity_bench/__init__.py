"""What a training loop costs, and what the framework around it adds.

``gradparity_bench.run`` times the training step of every backend, in turns, each in a process of its own, and returns
a ``Result``; ``gradparity_bench.points`` says where. ``python -m gradparity_bench.speed`` times whole epochs on MNIST
against loops written out by hand; the suites beside this package, run by ``pytest bench``, time single operations.

Importing this package loads nothing: a worker's thread limits must come before NumPy.
"""

from typing import TYPE_CHECKING

ROUNDS = 60
"""Turns of every backend that a benchmark takes by itself."""
PROCESSES = 6
"""Processes of every backend that they are dealt out to; ``gradparity_bench.harness`` measures what that shows."""

if TYPE_CHECKING:
    from gradparity_bench.engine.run import run
else:

    def __getattr__(name: str) -> object:
        if name != "run":
            raise AttributeError(f"module 'gradparity_bench' has no attribute '{name}'")
        from gradparity_bench.engine.run import run

        return run


__all__ = ["PROCESSES", "ROUNDS", "run"]
