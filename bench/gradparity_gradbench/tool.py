"""From a message's module, function and input to what runs on one backend's library, compiled where it compiles."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from gradparity import registry
from gradparity.errors import UsageError, unknown
from gradparity.protocol import Array
from gradparity.runtime import to_numpy
from gradparity_gradbench.eval import Eval, Function
from gradparity_gradbench.protocol import Evaluation

EVALUATIONS = ("hello", "llsq", "lse", "gmm", "kmeans", "det", "ode", "lstm", "ba", "ht", "saddle", "particle")


def eval_named(module: str) -> Eval:
    """Return one of the twelve by its name. Raises UsageError where there is none."""
    if module not in EVALUATIONS:
        raise unknown("evaluation", module, EVALUATIONS)
    found: Eval = import_module(f"gradparity_gradbench.evals.{module}").EVAL
    return found


def evaluations(backend: str, *, naive: bool = False) -> Callable[[str, str, Any], Evaluation]:
    """Return what makes an evaluation on a backend; ``naive`` is without structural shortcuts.

    Raises UsageError for a backend that cannot be used.
    """
    runtime = registry.backend(backend).runtime  # type: ignore[attr-defined]

    @cache
    def compiled(module: str, function: str) -> Callable[..., Any]:
        program: Callable[..., Any] = runtime.compile(_way(_function(module, function), backend, naive), "float64")
        return program

    def evaluate(module: str, function: str, given: Any) -> Evaluation:
        p, batch = eval_named(module).read(given)
        way, answer = compiled(module, function), _function(module, function).answer
        own = {name: runtime.from_numpy(array) for name, array in p.items()}, batch.map(runtime.from_numpy)

        def run() -> Any:
            result = way(*own)
            runtime.wait(result)
            return result

        return Evaluation(run, lambda result: answer(_in_numpy(partial(to_numpy, runtime), result)))

    return evaluate


def _function(module: str, name: str) -> Function:
    functions = eval_named(module).functions
    if name not in functions:
        raise unknown(f"function of {module}", name, functions)
    return functions[name]


def _way(function: Function, backend: str, naive: bool) -> Callable[..., Any]:
    ways = {**function.ways, **function.naive} if naive else function.ways
    if backend not in ways:
        raise unknown("backend of this function", backend, ways)
    return ways[backend]


def _in_numpy(convert: Callable[[Array], np.ndarray], result: Any) -> Any:
    """Return the result as NumPy's arrays. Raises UsageError where they are not finite: NaN is no answer."""
    if isinstance(result, Mapping):
        return {name: _in_numpy(convert, part) for name, part in result.items()}
    if isinstance(result, tuple):
        return tuple(_in_numpy(convert, part) for part in result)
    array = convert(result)
    if not np.isfinite(array).all():
        raise UsageError("the result is NaN or infinite, which is no answer: look at the input")
    return array
