"""From ``my_model.py`` or ``my_model.py:Name`` to a UserModel. Python's own list of modules is left as it was."""

import inspect
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from gradparity.errors import UsageError, raised, unknown
from gradparity.subjects.model_file.adopt import adopt
from gradparity.subjects.model_file.model import UserModel
from gradparity.subjects.model_file.preflight import leaving_no_thread
from gradparity.subjects.model_file.source import UNREADABLE, FileSource, last_step, shown, unreadable

FUNCTIONS = ("forward", "backward")
_ONE_AT_A_TIME = RLock()
"""Where modules are found, and those that are there already, are the whole process's."""


def is_file(argument: str) -> bool:
    """Say whether a MODEL argument is a file rather than a built-in model's name."""
    return argument.endswith(".py") or ".py:" in argument


def file_of(argument: str) -> Path | None:
    """Return the file of a MODEL argument, and None for a built-in model's name."""
    return Path(argument[: argument.rindex(".py") + 3]) if is_file(argument) else None


def load(argument: str) -> UserModel:
    """Read a model from ``my_model.py``, or the one called ``Name`` from ``my_model.py:Name``.

    Without a name, the file itself is the model where it has the functions ``forward`` and ``backward``, else its only
    class that has both. The file may import its neighbours. Raises UsageError, in one line, for whatever is wrong.
    """
    before, colon, name = argument.rpartition(".py:")
    path = Path(before + ".py" if colon else argument)
    if path.suffix != ".py":
        raise UsageError(f"a model's file ends in .py, got '{argument}': write my_model.py or my_model.py:Name")
    if not path.is_file():
        raise UsageError(f"there is no model file '{path}': check the path, from the folder {Path.cwd()}")
    file = str(path.resolve())
    module = _run(file)
    if colon:
        there = {key: value for key, value in vars(module).items() if not key.startswith("_")}
        if name not in there:
            raise unknown(f"model in {shown(file)}", name, _classes(module) or there)
        return _adopt_from(file, there[name], name)
    classes = _classes(module)
    if any(hasattr(module, function) for function in FUNCTIONS) or not classes:
        return adopt(module, FileSource(path.stem, file))
    if len(classes) > 1:
        choices = " or ".join(f"{path}:{each}" for each in classes)
        raise UsageError(f"{shown(file)}: a file without a name is one model, got {len(classes)}: choose {choices}")
    (name,) = classes
    return _adopt_from(file, classes[name], name)


def _adopt_from(file: str, thing: Any, name: str) -> UserModel:
    owner = None if isinstance(thing, ModuleType) else thing if inspect.isclass(thing) else type(thing)
    return adopt(thing, FileSource(name, file, owner.__name__ if owner else None))


def _classes(module: ModuleType) -> dict[str, type]:
    """Return the classes written in the module that have both functions."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and all(hasattr(value, function) for function in FUNCTIONS)
    }


def _run(file: str) -> ModuleType:
    """Run the file as a module. From its source, not Python's cached copy: that may be older by less than a second."""
    linecache.checkcache(file)
    try:
        code = compile(Path(file).read_bytes(), file, "exec")
    except UNREADABLE as error:
        raise unreadable(shown(file), error) from None
    except OSError as error:
        raise UsageError(f"{shown(file)}: cannot be read, {error.strerror}: check its permissions") from None
    module = ModuleType(f"gradparity_model_{Path(file).stem}")
    module.__file__ = file
    with _ONE_AT_A_TIME, leaving_no_thread(shown(file)), _importing_from(str(Path(file).parent), module):
        try:
            exec(code, vars(module))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            step = last_step(error.__traceback__, file)
            fix = ": install it, or put it beside the file" if isinstance(error, ModuleNotFoundError) else ""
            raise UsageError(
                f"{shown(file)}{f':{step.line}' if step else ''}: importing the file must not fail, it raised "
                f"{raised(error)}{fix}"
            ) from error
    return module


@contextmanager
def _importing_from(folder: str, module: ModuleType) -> Iterator[None]:
    """Let a module import what lies in the folder, and forget those imports afterwards.

    Two files in two folders may each have a neighbour of the same name. Libraries that are first imported here stay.
    """
    path, loaded = sys.path[:], set(sys.modules)
    sys.path.insert(0, folder)
    sys.modules[module.__name__] = module  # dataclasses look there for the module that they are in
    try:
        yield
    finally:
        sys.path[:] = path
        del sys.modules[module.__name__]
        new = set(sys.modules) - loaded
        neighbours = {name for name in new if "." not in name and _lies_in(folder, sys.modules[name])}
        for name in new:
            if name.partition(".")[0] in neighbours:
                del sys.modules[name]


def _lies_in(folder: str, module: ModuleType) -> bool:
    """Say whether a module is a file of this folder, or a package that is a folder of it."""
    places = [*getattr(module, "__path__", ()), getattr(module, "__file__", None) or ""]
    return any(str(Path(place).parent) == folder for place in places if place)
