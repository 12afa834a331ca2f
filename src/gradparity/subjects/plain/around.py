"""A function that is there already, with all functions of the user's that it can call, written anew with the hooks.

Its module stays as it is: what is rewritten lives in a copy of the module's names.
"""

import ast
import inspect
import linecache
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

from gradparity.errors import UsageError
from gradparity.subjects.plain.capture import called_again
from gradparity.subjects.plain.hooked import HOOKS
from gradparity.subjects.plain.pairs import pair_of, pair_unit
from gradparity.subjects.plain.program import Program
from gradparity.subjects.plain.regions import functions_of
from gradparity.subjects.plain.unit import Unit, is_data, is_users_module, own_copy


def unit_around(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any], seed: int) -> tuple[Program, Unit]:
    """Take a function and its arguments as a unit. Raises UsageError for what cannot be read or called so."""
    if isinstance(vars(type(function)).get("__call__"), FunctionType):
        function = function.__call__
    own = getattr(function, "__func__", function)
    if not isinstance(own, FunctionType) or own.__name__ == "<lambda>":
        kind = "a lambda" if getattr(own, "__name__", "") == "<lambda>" else type(function).__name__
        raise UsageError(f"plain code is a function written with def, got {kind}: wrap it in one")
    if inspect.isgeneratorfunction(own) or inspect.iscoroutinefunction(own):
        raise UsageError(
            f"{own.__name__} yields or awaits: a function that returns its loss and gradients can be checked"
        )
    program = Program(own.__code__.co_filename, source_of(own))
    renewed = _Renewed(program)
    renewed.namespace(own.__globals__, program.module.__dict__)
    again, values = _call(renewed.function(own), function, arguments, named)
    pair = pair_of(own.__qualname__, functions_of(program.source.trees[program.file]))
    if pair and own.__qualname__ == pair[1]:
        raise UsageError(f"{pair[1]} is given what {pair[0]} returns: check {pair[0]} with its arguments, and both are")
    unit = pair_unit(program, again, values, pair, seed) if pair else _alone(program, own, again, values)
    renewed.classes_of(unit.roots)
    return program, unit


def renew_names(program: Program, names: dict[str, Any]) -> None:
    """Give a program copies of a notebook's names, its functions rewritten, and its arrays its own no longer."""
    renewed = _Renewed(program)
    copied = renewed.namespace(names, program.module.__dict__)
    data = own_copy({name: value for name, value in names.items() if not name.startswith("_") and is_data(value)})
    renewed.classes_of(data)
    copied.update(data)


def source_of(function: FunctionType) -> str:
    """Return the text of the file or the cell that a function was read from. Raises UsageError without one."""
    text = "".join(linecache.getlines(function.__code__.co_filename, function.__globals__))
    if not text:
        raise UsageError(f"{function.__name__} cannot be read: plain code needs its source, in a file or a cell")
    return text


def _call(
    renewed: FunctionType, function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> tuple[Callable[[Mapping[str, Any]], Any], dict[str, Any]]:
    """Return the call as a function of its arguments, and these by name. Raises UsageError for others than it takes."""
    signature = inspect.signature(renewed)
    first = (function.__self__,) if isinstance(function, MethodType) else ()
    try:
        bound = signature.bind(*first, *arguments, **named)
    except TypeError as error:
        raise UsageError(f"{renewed.__name__}{signature} is called with its own arguments: {error}") from error
    bound.apply_defaults()

    def again(roots: Mapping[str, Any]) -> Any:
        call = inspect.BoundArguments(signature, bound.arguments.copy())
        call.arguments.update((name, roots[name]) for name in bound.arguments)
        return renewed(*call.args, **call.kwargs)

    return again, dict(bound.arguments)


def _alone(program: Program, function: FunctionType, again: Callable[..., Any], values: Mapping[str, Any]) -> Unit:
    its, line = function.__code__.co_qualname, function.__code__.co_firstlineno
    return called_again(program, function.__qualname__, line, lambda code: code.co_qualname == its, again, values)


class _Renewed:
    """Copies of the user's modules, in which every function is rewritten."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._namespaces: dict[int, dict[str, Any]] = {}
        self._classes: dict[type, type] = {}

    def namespace(self, names: dict[str, Any], into: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a copy of a module's names with its functions, and those of other modules of the user's, anew."""
        if id(names) in self._namespaces:
            return self._namespaces[id(names)]
        copied = self._namespaces[id(names)] = {} if into is None else into
        copied.update({**names, HOOKS: self._program.hooks})
        own = [value for value in names.values() if _globals_of(value) is names]
        for file in dict.fromkeys(_file_of(value) for value in own):
            self._define(file, names, copied)
        for name, value in names.items():
            elsewhere = _globals_of(value)
            if elsewhere is not None and elsewhere is not names and _is_users(value):
                copied[name] = self.namespace(elsewhere).get(value.__name__, value)
            elif isinstance(value, ModuleType) and _is_users(value):
                copied[name] = ModuleType(value.__name__)
                copied[name].__dict__.update(self.namespace(value.__dict__))
        return copied

    def function(self, own: FunctionType) -> FunctionType:
        """Return a function anew. Raises UsageError where its definition is not in what can be read."""
        namespace = self.namespace(own.__globals__)
        found: Any = namespace.get(own.__qualname__.partition(".")[0])
        for step in own.__qualname__.split(".")[1:]:
            found = getattr(found, step, None)
        found = getattr(found, "__func__", found)
        if isinstance(found, FunctionType):
            return found
        return self._inner(own, namespace)

    def classes_of(self, roots: dict[str, Any]) -> None:
        """Make the objects among some roots instances of the classes as they are written anew."""
        todo, seen = list(roots.values()), set[int]()
        while todo:
            value = todo.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if type(value) in self._classes:
                object.__setattr__(value, "__class__", self._classes[type(value)])
                todo += vars(value).values()
            elif isinstance(value, dict):
                todo += value.values()
            elif isinstance(value, list | tuple):
                todo += value

    def _define(self, file: str, names: Mapping[str, Any], copied: dict[str, Any]) -> None:
        text = "".join(linecache.getlines(file, dict(names)))
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return
        defined = [
            node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names
        ]
        self._program.texts[file] = text
        exec(compile(self._program.source.rewritten(text, file, defined), file, "exec"), copied)
        for node in defined:
            if isinstance(node, ast.ClassDef) and isinstance(names[node.name], type):
                self._classes[names[node.name]] = copied[node.name]

    def _inner(self, own: FunctionType, namespace: dict[str, Any]) -> FunctionType:
        """Return a function that was made inside another, with the variables around it as global ones."""
        file = own.__code__.co_filename
        first = own.__code__.co_firstlineno
        text = "".join(linecache.getlines(file, own.__globals__))
        found = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and first in (node.lineno, *(d.lineno for d in node.decorator_list))
        ]
        if not found:
            raise UsageError(f"{own.__name__} cannot be read: its source is no longer where it was defined")
        around = inspect.getclosurevars(own).nonlocals
        scope = {**namespace, **around}
        self._program.texts[file] = text
        exec(compile(self._program.source.rewritten(text, file, found[:1]), file, "exec"), scope)
        self._program.module.__dict__.update(around)
        made: FunctionType = scope[own.__name__]
        return made


def _globals_of(value: Any) -> dict[str, Any] | None:
    """Return the module's names that a function, or a class's methods, were defined among."""
    if isinstance(value, FunctionType):
        return value.__globals__
    if isinstance(value, type):
        return next((f.__globals__ for f in vars(value).values() if isinstance(f, FunctionType)), None)
    return None


def _file_of(value: Any) -> str:
    if isinstance(value, type):
        value = next(f for f in vars(value).values() if isinstance(f, FunctionType))
    return str(value.__code__.co_filename)


def _is_users(value: Any) -> bool:
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__
    return is_users_module(module) and module.partition(".")[0] != "gradparity"
