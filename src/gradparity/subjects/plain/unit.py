"""The piece of a user's code that is run again and again: a function and its arguments, or one pass through a loop."""

import contextlib
import copy
import io
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import FrameType, FunctionType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple, TypeAlias
from unittest.mock import patch

import numpy as np

from gradparity.subjects.plain.recorder import DEEP, Hooks, Observed, Stop, is_real, with_changed

Leaf: TypeAlias = tuple[Any, ...]
"""The steps from the roots to an array: ("params", ("item", "W")), ("self", ("attribute", "W"))."""

MODULE = "module "
"""Before the name of a global variable among the roots, which an argument may have too."""


class Finished(NamedTuple):
    """What a run came to."""

    returned: Any
    scope: Mapping[str, Any]
    """Every name at its end, for an expression of the user's."""


@dataclass(eq=False)
class Unit:
    """What is run: ``call`` is given the roots, by name, and returns what the code returns and its scope."""

    name: str
    file: str
    line: int
    call: Callable[[Mapping[str, Any]], Finished]
    roots: dict[str, Any]
    """What it starts from, as it was: arguments and global variables; never handed out, only copies of it."""
    namespace: dict[str, Any]
    """The module's own, in which its global variables are set before each run."""
    hooks: Hooks
    returns_gradients_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Function -> the arguments whose gradients it returns, in their order."""
    _kept: dict[int, Any] = field(default_factory=dict)
    """Arrays that the code leaves as they are, which no run needs a copy of."""

    def run(self, observer: Observed, change: Mapping[Leaf, Any] | None = None) -> Finished:
        """Run the code from the start on copies of its roots, with a change added to some of their arrays.

        Raises what the code raises.
        """
        return self.run_on(self.fresh(change or {}), observer)

    def run_on(self, roots: dict[str, Any], observer: Observed) -> Finished:
        """Run the code on these roots."""
        self.hooks.observer = observer
        try:
            with quiet(), the_same_luck():
                self._set_globals(roots)
                return self.call(roots)
        finally:
            self.hooks.observer = None

    def fresh(self, change: Mapping[Leaf, Any]) -> dict[str, Any]:
        """Return the roots as the code found them, with changes."""
        moved = {id(at(self.roots, leaf)) for leaf in change}
        memo = {key: value for key, value in self._kept.items() if key not in moved}
        roots = copy.deepcopy(self.roots, memo)
        for leaf, by in change.items():
            put(roots, leaf, at(roots, leaf) + by)
        return roots

    def with_arrays(self, instead: Mapping[Leaf, Any]) -> dict[str, Any]:
        """Return the roots as the code found them, with other arrays in the place of some."""
        return copy.deepcopy(self.roots, {**self._kept, **{id(at(self.roots, leaf)): a for leaf, a in instead.items()}})

    def keep_unchanged(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Learn from a run which arrays the code changes in place: only those have to be copied."""
        changed = {id(value) for leaf, value in arrays(before) if not _equal(value, _found(after, leaf))}
        for _, value in arrays(self.roots):
            if id(value) not in changed:
                self._kept[id(value)] = value

    def _set_globals(self, roots: Mapping[str, Any]) -> None:
        for name, value in roots.items():
            if name.startswith(MODULE):
                self.namespace[name.removeprefix(MODULE)] = value


def arrays(roots: Any) -> Iterator[tuple[Leaf, Any]]:
    """Yield every array and real number below some roots with the steps to it, each object once."""
    seen: set[int] = set()

    def walk(value: Any, steps: Leaf, depth: int) -> Iterator[tuple[Leaf, Any]]:
        if id(value) in seen:
            return
        if isinstance(value, np.ndarray) or is_real(value):
            seen.add(id(value))
            yield steps, value
            return
        if depth == DEEP or not (isinstance(value, dict | list | tuple) or is_object(value)):
            return
        seen.add(id(value))
        for step, each in _below(value):
            yield from walk(each, (*steps, step), depth + 1)

    for name, value in roots.items():
        yield from walk(value, (name,), 0)


def is_object(value: Any) -> bool:
    """Whether a value is an instance of a class of the user's own."""
    own = is_users_module(type(value).__module__) or isinstance(value, SimpleNamespace)
    return hasattr(value, "__dict__") and not isinstance(value, type) and own


@cache
def is_users_module(module: str) -> bool:
    """Whether a module is neither Python's nor installed."""
    package = module.partition(".")[0]
    if package == "__main__":
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or "site-packages"
    return package not in sys.stdlib_module_names and "site-packages" not in file


def _below(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        yield from ((("item", key), each) for key, each in value.items())
    elif isinstance(value, list | tuple):
        yield from ((("item", i), each) for i, each in enumerate(value))
    else:
        yield from ((("attribute", name), each) for name, each in vars(value).items())


def at(roots: Mapping[str, Any], leaf: Leaf) -> Any:
    """Return what these steps lead to."""
    value = roots[leaf[0]]
    for kind, step in leaf[1:]:
        value = value[step] if kind == "item" else getattr(value, step)
    return value


def put(roots: dict[str, Any], leaf: Leaf, new: Any) -> None:
    """Set what these steps lead to; an array is changed in place, so that whatever shares it sees the change."""
    old = at(roots, leaf)
    if isinstance(old, np.ndarray) and old.ndim and isinstance(new, np.ndarray) and old.dtype == new.dtype:
        old[...] = new
    elif len(leaf) == 1:
        roots[leaf[0]] = new
    else:
        kind, step = leaf[-1]
        parent = at(roots, leaf[:-1])
        if kind == "attribute":
            setattr(parent, step, new)
        else:
            changed = with_changed(parent, {step: new})
            if changed is not parent:
                put(roots, leaf[:-1], changed)


def written(leaf: Leaf) -> str:
    """Write a leaf as the user would: ``params['W']``, ``self.W``."""
    root = str(leaf[0]).removeprefix(MODULE)
    return root + "".join(f"[{step!r}]" if kind == "item" else f".{step}" for kind, step in leaf[1:])


def _found(roots: Mapping[str, Any], leaf: Leaf) -> Any:
    try:
        return at(roots, leaf)
    except (LookupError, TypeError, AttributeError):
        return None


def _equal(a: Any, b: Any) -> bool:
    if not isinstance(a, np.ndarray):
        return True
    return isinstance(b, np.ndarray) and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def own_copy(value: Any) -> Any:
    """Copy roots for good: real numbers become NumPy's in float64, so that each is an object of its own."""
    memo: dict[int, Any] = {}

    def walk(value: Any) -> Any:
        if id(value) in memo:
            return memo[id(value)][1]
        made = _own(value, walk, lambda early: memo.update({id(value): (value, early)}))
        memo[id(value)] = (value, made)
        return made

    return walk(value)


def _own(value: Any, walk: Callable[[Any], Any], early: Callable[[Any], None]) -> Any:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value.copy()
    if isinstance(value, float | np.floating):
        return np.float64(value)
    made: Any = None
    if isinstance(value, dict | list):
        made = copy.copy(value)  # an OrderedDict and a defaultdict, too
        early(made)
        for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
            made[key] = walk(each)
    elif isinstance(value, tuple):
        values = list(map(walk, value))
        made = type(value)(*values) if hasattr(value, "_fields") else tuple(values)
    elif is_object(value):
        made = copy.copy(value)
        early(made)
        for name, each in list(vars(value).items()):
            object.__setattr__(made, name, walk(each))
    if made is not None:
        return made
    try:
        return copy.deepcopy(value)
    except Exception:  # a lock, a file, a generator: shared
        return value


def is_data(value: Any) -> bool:
    """Whether a global variable holds numbers of the user's, and no function, class or module."""
    return not isinstance(value, FunctionType | ModuleType | type) and any(True for _ in arrays({"": value}))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what the code prints, and NumPy's warnings."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), np.errstate(all="ignore"):
        yield


@contextlib.contextmanager
def the_same_luck() -> Iterator[None]:
    """Make what is drawn at random the same in each run, also where the code gives no seed."""
    states = np.random.get_state(), random.getstate()
    np.random.seed(0)
    random.seed(0)
    unseeded = np.random.default_rng
    try:
        with patch("numpy.random.default_rng", lambda seed=0: unseeded(0 if seed is None else seed)):
            yield
    finally:
        np.random.set_state(states[0])
        random.setstate(states[1])


def scope_of(frame: FrameType) -> dict[str, Any]:
    """Return every name that a frame sees."""
    return {**frame.f_globals, **frame.f_locals}


def stopped(run: Callable[[], Any]) -> Any:
    """Run code that may end from inside."""
    try:
        return run()
    except Stop:
        return None
