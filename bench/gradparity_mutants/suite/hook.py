"""In the process that runs a suite: the rule's file is compiled with a mistake, and what that changes is noted.

``sitecustomize.py`` in a temporary folder starts it, before anything else is imported; so it needs no more than NumPy,
and that only when the rule is called. The file on disk is only read.
"""

import builtins
import json
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

TYPICAL = 0.01
"""Entries smaller than this share of the largest one are not what a tolerance is chosen by."""


def install(folder: str) -> None:
    """Let every later import of the rule's file, by whichever finder, find the mutated one."""
    plan = json.loads((Path(folder) / "plan.json").read_text(encoding="utf-8"))
    notes = Path(folder) / "notes.jsonl"
    found = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        if os.path.realpath(self.path) != plan["file"]:
            return found(self, fullname)
        tree = pickle.loads((Path(folder) / "tree.pickle").read_bytes())
        return compile(tree, self.path, "exec")

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
    builtins._gradparity_scaled = scaled  # type: ignore[attr-defined]
    builtins._gradparity_recorded = lambda wrong: _recorded(wrong, notes)  # type: ignore[attr-defined]
    _go_on(folder)


def _go_on(folder: str) -> None:
    """Run the environment's own ``sitecustomize``, which this one stands before."""
    for entry in sys.path:
        path = Path(entry) / "sitecustomize.py"
        if os.path.realpath(entry) != os.path.realpath(folder) and path.is_file():
            exec(compile(path.read_bytes(), str(path), "exec"), {"__name__": "sitecustomize", "__file__": str(path)})
            return


def scaled(value: Any, factor: float) -> Any:
    """Scale real numbers, and an array or tensor of them; leave anything else, such as a count or a mask, as it is."""
    kind = str(getattr(value, "dtype", type(value).__name__))
    return value * factor if "float" in kind else value


def _recorded(wrong: Callable[..., Any], notes: Path) -> Callable[..., Any]:
    def decorate(right: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(right)
        def both(*arguments: Any, **named: Any) -> Any:
            with notes.open("a", encoding="utf-8") as log:
                log.write("[]\n")  # it was called, whatever comes of it
            given = wrong(*arguments, **named)
            with suppress(Exception):  # a note less: it must not change what the suite sees
                _note(notes, _leaves(given), _leaves(right(*arguments, **named)))
            return given

        return both

    return decorate


def _note(notes: Path, given: list[Any], expected: list[Any]) -> None:
    if any("Tracer" in type(leaf).__name__ for leaf in (*given, *expected)):
        import jax

        jax.debug.callback(lambda a, b: _write(notes, a, b), given, expected)
    else:
        _write(notes, given, expected)


def _write(notes: Path, given: list[Any], expected: list[Any]) -> None:
    """Note how far entries are off, and how large they should be: the relatively worst, and the worst."""
    found = [pair for a, b in zip(given, expected, strict=True) for pair in _off(_numpy(a), _numpy(b))]
    with notes.open("a", encoding="utf-8") as log:
        log.write(json.dumps(found) + "\n")


def _off(a: Any, b: Any) -> list[tuple[float, float]]:
    import numpy as np

    if a.shape != b.shape or not a.size:
        return [(float("inf"), 1.0)] if a.shape != b.shape else []
    off, size = np.abs(a - b).ravel(), np.abs(b).ravel()
    if not off.any():
        return []
    typical = size >= TYPICAL * size.max()
    worst = int(np.argmax(off))
    ratio = np.where(typical & (size > 0), off / np.where(size > 0, size, 1), 0)
    relative = int(np.argmax(ratio))
    return [(float(off[i]), float(size[i])) for i in {worst, relative}]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    if isinstance(value, tuple | list):
        return [leaf for each in value for leaf in _leaves(each)]
    return [] if value is None else [value]


def _numpy(value: Any) -> Any:
    import numpy as np

    own = value.detach().cpu().double().numpy() if hasattr(value, "detach") else value
    return np.asarray(own, dtype=np.float64)
