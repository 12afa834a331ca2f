"""``python waiting.py …/tools/jax/run.py``: GradBench's own JAX tool, as it is, but with a clock that waits.

Its functions return before JAX has computed, and its clock stops then. Here each of them is waited for inside the timed
region, so that what it tells can be compared with what waits. It runs where GradBench and JAX are installed, by the
path of this file; gradparity need not be there.
"""

import runpy
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax


def main(tool: str, *arguments: str) -> None:
    """Run the tool with functions that return when their results are there."""
    wrap: Any = import_module("gradbench.wrap")  # GradBench's, which decorates every function of its tools
    for name in ("function", "multiple_runs"):
        setattr(wrap, name, waiting(getattr(wrap, name)))
    sys.argv = [tool, *arguments]
    runpy.run_path(tool, run_name="__main__")


def waiting(decorator: Callable[..., Any]) -> Callable[..., Any]:
    """Return GradBench's decorator for functions that are waited for."""

    def decorated(**choices: Any) -> Callable[..., Any]:
        wait: Callable[[Any], Any] = jax.block_until_ready
        return lambda function: decorator(**choices)(lambda given: wait(function(given)))

    return decorated


if __name__ == "__main__":
    main(*sys.argv[1:])
