"""From a file or a notebook to the piece of it that is checked: it is run until there, and stopped.

The file runs as code because the user named it, in its own folder, as ``python FILE`` would run it.
"""

import ast
import contextlib
import random
from collections.abc import Callable, Mapping
from inspect import CO_VARARGS, CO_VARKEYWORDS
from pathlib import Path
from types import CellType, CodeType, FrameType, FunctionType
from typing import Any

import numpy as np

from gradparity.errors import UsageError, did_you_mean, raised
from gradparity.limits import TooLong, at_most
from gradparity.subjects.model_file.source import last_step
from gradparity.subjects.plain.hooked import HOOKS
from gradparity.subjects.plain.program import Program, as_a_script
from gradparity.subjects.plain.recorder import Stop
from gradparity.subjects.plain.unit import MODULE, Finished, Unit, is_data, own_copy, quiet, scope_of

LUCK = (np.random.Generator, np.random.RandomState, random.Random)
"""What draws numbers goes on from the same state in each run."""
SECONDS = 60.0
"""How long a file may run before what is checked is called."""


class _Arrived(Stop):
    """The code is where it was to be run to."""

    def __init__(self, frame: FrameType) -> None:
        super().__init__()
        self.frame = frame


def function_unit(program: Program, name: str) -> Unit:
    """Run a program until a function is called, and take its arguments. Raises UsageError."""
    frame = run_to_function(program, name)
    again, values = call_again(frame)
    return called_again(program, name, frame.f_code.co_firstlineno, lambda code: code is frame.f_code, again, values)


def run_to_function(program: Program, name: str) -> FrameType:
    """Run a program until a function is called, and stop there. Raises UsageError."""
    entry = program.source.entries[program.file, name]
    return _run_to(program, entry, f"{name} is never called", name)


def call_again(frame: FrameType) -> tuple[Callable[[Mapping[str, Any]], Any], dict[str, Any]]:
    """Return the call that a frame has just begun as a function of its arguments, and these."""
    code, function = frame.f_code, _function_of(frame)
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    star, two_stars = bool(code.co_flags & CO_VARARGS), bool(code.co_flags & CO_VARKEYWORDS)
    extra = code.co_varnames[count : count + star + two_stars]

    def again(roots: Mapping[str, Any]) -> Any:
        positional = [roots[each] for each in names[: code.co_argcount]]
        named = {each: roots[each] for each in names[code.co_argcount :]}
        rest = roots[extra[0]] if star else ()
        return function(*positional, *rest, **named, **(roots[extra[-1]] if two_stars else {}))

    return again, {each: frame.f_locals[each] for each in (*names, *extra)}


def _function_of(frame: FrameType) -> Callable[..., Any]:
    """Return what runs a frame's code again: the code itself with the variables around it."""
    code = frame.f_code
    cells = tuple(CellType(frame.f_locals.get(name)) for name in code.co_freevars)
    return FunctionType(code, frame.f_globals, code.co_name, None, cells)


def block_unit(program: Program, line: int) -> Unit:
    """Run a program until a loop is entered, and take its first pass. Raises UsageError."""
    number, block = next((i, b) for i, b in enumerate(program.source.bodies) if b.line == line)
    name = f"the loop in {program.line(program.file, line)}"
    frame = _run_to(program, ~number, f"{name} is never entered", name)
    code = block.code()
    if frame.f_locals is frame.f_globals:
        return unit_of(program, name, line, lambda _: _run_among_globals(program, code), {})

    def call(roots: Mapping[str, Any]) -> Finished:
        local = {name: value for name, value in roots.items() if not name.startswith(MODULE)}
        scope = {**program.module.__dict__, **local}
        with contextlib.suppress(Stop):
            exec(code, scope)
        return Finished(None, scope)

    return unit_of(program, name, line, call, dict(frame.f_locals))


def module_unit(program: Program) -> Unit:
    """Take a whole file, which starts from nothing, or a whole cell, from the names that are there."""
    return unit_of(program, "all of it", 1, lambda _: _run_among_globals(program, program.code), {})


def _run_among_globals(program: Program, code: CodeType) -> Finished:
    """Run code where the functions that it calls look for their global variables, and leave these as they were."""
    names = program.module.__dict__
    before = dict(names)
    try:
        with contextlib.suppress(Stop):
            exec(code, names)
        return Finished(None, dict(names))
    finally:
        names.clear()
        names.update(before)


def called_again(
    program: Program,
    name: str,
    line: int,
    is_its: Callable[[CodeType], bool],
    again: Callable[..., Any],
    values: Mapping[str, Any],
) -> Unit:
    """Make a unit of a function that ``again`` calls; ``is_its`` knows its code, whose last run is what it came to."""
    scopes: list[dict[str, Any]] = []

    def ended(ending: FrameType, _: Any) -> None:
        if is_its(ending.f_code):
            scopes.append(scope_of(ending))

    def call(roots: Mapping[str, Any]) -> Finished:
        scopes.clear()
        program.hooks.ended = ended
        returned = again(roots)
        return Finished(returned, scopes[-1] if scopes else {})

    return unit_of(program, name, line, call, values)


def unit_of(program: Program, name: str, line: int, call: Callable[..., Finished], values: Mapping[str, Any]) -> Unit:
    """Make a unit of a call, its arguments, and the program's global variables."""
    steps = set(program.source.updates.values())
    globals_ = {
        f"{MODULE}{key}": value
        for key, value in program.module.__dict__.items()
        if key != HOOKS and (is_data(value) or isinstance(value, LUCK) or (type(value) is int and key in steps))
    }
    roots = own_copy({n: _real(v) if n.removeprefix(MODULE) in steps else v for n, v in {**values, **globals_}.items()})
    return Unit(name, program.file, line, call, roots, program.module.__dict__, program.hooks)


def _real(value: Any) -> Any:
    """Return a real number for the whole one, b = 0, that a parameter starts from."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return value.astype(np.float64)
    return float(value) if type(value) is int else value


def _run_to(program: Program, entry: int, never: str, what: str) -> FrameType:
    passed = False

    def arrive(frame: FrameType) -> None:
        nonlocal passed
        if _called_by_a_check(frame):
            passed = True
        else:
            raise _Arrived(frame)

    program.hooks.entries = {entry: arrive}
    try:
        with as_a_script(program), at_most(SECONDS), quiet():
            program.run()
            _call_with_examples(program, what)
    except _Arrived as arrived:
        return arrived.frame
    except TooLong:
        raise UsageError(
            f"{program.shown()} ran for {SECONDS:.0f} s and did not come to {what}: "
            "make what comes before it smaller, or check it from Python, gradparity.check_code(function, *arguments)"
        ) from None
    except SystemExit as error:
        place = failed(program, error)
        raise UsageError(
            f"{place} before it comes to {what}: give what it asks for a value in the file, or call {what} before"
        ) from error
    except Exception as error:
        raise failed(program, error) from error
    finally:
        program.hooks.entries = {}
    if passed:
        raise UsageError(
            f"{program.shown()}: only gradparity calls {what}, in a check of the file's own: run the file for that one"
        )
    raise UsageError(f"{program.shown()}: {never}: call it there, or write  def example_inputs(): return its arguments")


def _called_by_a_check(frame: FrameType) -> bool:
    """Whether the user's file has a model checked, which calls its functions with numbers of a check's own."""
    caller = frame.f_back
    while caller is not None and caller.f_globals is not globals():  # here the file was run, or its example called
        module = caller.f_globals.get("__name__", "")
        if module.startswith("gradparity.") and not module.startswith(
            ("gradparity.subjects.plain", "gradparity.testing")
        ):
            return True
        caller = caller.f_back
    return False


def _call_with_examples(program: Program, function: str) -> None:
    """Call a function that the file itself never calls with what ``example_inputs()`` returns, where that is there."""
    names = program.module.__dict__
    if function in names and "example_inputs" in names:
        given = names["example_inputs"]()
        names[function](**given) if isinstance(given, dict) else names[function](*given)


def failed(program: Program, error: BaseException) -> UsageError:
    """Say in one line what a user's code raised, and where."""
    step = last_step(error.__traceback__, program.file)
    place = program.place(program.file, step.line) if step else program.shown()
    if isinstance(error, EOFError):
        return UsageError(f"{place}: asks for input(), and nobody answers a check: give it a value in the file")
    if isinstance(error, UsageError):
        return UsageError(f"{place}: {error}")
    if isinstance(error, FileNotFoundError):
        where = f"paths start in the file's own folder, {Path(program.file).parent}"
        return UsageError(f"{place}: raises {raised(error).rstrip('.')}: {where}")
    return UsageError(f"{place}: raises {raised(error)}")


def choose_function(program: Program, name: str, functions: Mapping[str, Any]) -> str:
    """Find a function by its name, qualified or not. Raises UsageError for a name that there is not."""
    fitting = [each for each in functions if each == name or each.rpartition(".")[2] == name]
    if not fitting:
        there = ", ".join(functions) or "none"
        raise UsageError(f"{program.shown()} has no function '{name}': there is {there}{did_you_mean(name, functions)}")
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(functions[fitting[0]])):
        raise UsageError(
            f"{program.shown()}: {fitting[0]} yields, and so has no end to check it at: leave its name out, and the "
            "loop in it is checked, or name a function that it calls"
        )
    return fitting[0]
