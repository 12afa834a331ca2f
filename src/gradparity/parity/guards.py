"""Small numbers in a user's code that keep it from dividing by zero, and what the code is without them.

``log(p + 1e-9)``: the number stands in the code, as a default value, in a variable of the module or of an object. Where
it stands it is made so small that it is lost in rounding, for as long as something is measured.
"""

import dis
import functools
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

LARGEST = 1e-6
"""A larger number is part of the formula, such as batch normalisation's 1e-5."""
LOST = 1e-6
"""A guard times this is lost in rounding, and yet no division by zero."""
LIBRARY = sysconfig.get_paths()["stdlib"]


@dataclass(frozen=True)
class Guard:
    """One small number at one place."""

    value: float
    place: str
    """As ``my_loss.py:12``."""
    put: Callable[[float], None]
    """Writes another number there."""

    def __str__(self) -> str:
        return f"{self.value:g} in {self.place}"


def guards_in(functions: Iterable[Callable[..., Any]]) -> list[Guard]:
    """Find the guards in functions and in whatever of the user's they reach: helpers, classes, objects."""
    return [guard for thing in _reached(functions) for guard in _guards_of(thing)]


@contextmanager
def reduced(guards: Sequence[Guard]) -> Iterator[None]:
    """Make the guards so small that they are lost, and put them back."""
    with ExitStack() as undo:
        for guard in guards:
            undo.callback(guard.put, guard.value)
            guard.put(guard.value * LOST)
        yield


def _is_guard(value: Any) -> bool:
    return isinstance(value, float | np.floating) and 0 < abs(float(value)) <= LARGEST


def _reached(roots: Iterable[Any]) -> Iterator[Any]:
    """Yield the user's own functions, and objects with numbers of their own, that these lead to."""
    left, seen = list(roots), set[int]()
    while left:
        thing = left.pop(0)
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if _own(thing):
            yield thing
            left += _leads_to(thing)
        elif callable(thing) and hasattr(thing, "__wrapped__"):  # compiled by a library
            left.append(thing.__wrapped__)


def _own(thing: Any) -> bool:
    """Whether it is the user's and not a library's, as far as it can be told."""
    if isinstance(thing, FunctionType):
        return not of_a_library(thing.__code__.co_filename)
    if isinstance(thing, MethodType | functools.partial):
        return True
    cls = thing if isinstance(thing, type) else type(thing)
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return file is not None and not of_a_library(file) and not cls.__module__.startswith("gradparity.")


def of_a_library(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    return "site-packages" in file or file.startswith((LIBRARY, "<frozen", "<__array_function__"))


def _leads_to(thing: Any) -> Iterator[Any]:
    if isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, MethodType):
        yield from (thing.__func__, thing.__self__)
    elif isinstance(thing, FunctionType):
        yield from (cell.cell_contents for cell in _filled_cells(thing))
        named = [thing.__globals__.get(name) for name in _names(thing.__code__)]
        modules = [each for each in named if isinstance(each, ModuleType)]
        yield from (each for each in named if not isinstance(each, ModuleType))
        yield from (vars(m).get(name) for m in modules for name in _names(thing.__code__))
        yield getattr(thing, "__wrapped__", None)
    elif isinstance(thing, type):
        yield from (getattr(member, "__func__", member) for member in vars(thing).values())
    else:
        yield type(thing)
        yield from getattr(thing, "__dict__", {}).values()


def _filled_cells(function: FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            _ = cell.cell_contents
        except ValueError:  # it is not filled yet
            continue
        yield cell


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _guards_of(thing: Any) -> Iterator[Guard]:
    if not isinstance(thing, FunctionType):
        numbers = vars(thing) if hasattr(thing, "__dict__") and not isinstance(thing, type) else {}
        for name, value in numbers.items():
            if _is_guard(value):
                yield Guard(value, f"{type(thing).__name__}.{name}", functools.partial(setattr, thing, name))
        return
    file = Path(thing.__code__.co_filename).name
    for path, value, line in _constants(thing.__code__):
        yield Guard(value, f"{file}:{line}", functools.partial(_put_constant, thing, path))
    for i, value in enumerate(thing.__defaults__ or ()):
        if _is_guard(value):
            yield Guard(value, f"{file}:{thing.__code__.co_firstlineno}", functools.partial(_put_default, thing, i))
    for cell in _filled_cells(thing):
        if _is_guard(cell.cell_contents):
            put = functools.partial(setattr, cell, "cell_contents")
            yield Guard(cell.cell_contents, f"{file}:{thing.__code__.co_firstlineno}", put)
    for name in dict.fromkeys(_names(thing.__code__)):
        if _is_guard(thing.__globals__.get(name)):
            put = functools.partial(thing.__globals__.__setitem__, name)
            yield Guard(thing.__globals__[name], f"{file}, {name}", put)


def _constants(code: CodeType, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], float, int]]:
    """Yield where each small number is among the constants, the number, and the first line that has it."""
    for i, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            yield from _constants(constant, (*path, i))
        elif _is_guard(constant):
            loads = (each for each in dis.get_instructions(code) if each.opname == "LOAD_CONST" and each.arg == i)
            lines = [each.positions.lineno for each in loads if each.positions and each.positions.lineno]
            yield (*path, i), constant, min(lines, default=code.co_firstlineno)


def _put_constant(function: FunctionType, path: Sequence[int], value: float) -> None:
    function.__code__ = _with_constant(function.__code__, path, value)


def _with_constant(code: CodeType, path: Sequence[int], value: float) -> CodeType:
    first, *rest = path
    constants = list(code.co_consts)
    constants[first] = _with_constant(constants[first], rest, value) if rest else value
    return code.replace(co_consts=tuple(constants))


def _put_default(function: FunctionType, i: int, value: float) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[i] = value
    function.__defaults__ = tuple(defaults)
