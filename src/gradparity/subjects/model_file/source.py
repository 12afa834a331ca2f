"""Where in a user's file something stands, as the start of a message: ``my_model.py:12``."""

import ast
import inspect
import linecache
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

from gradparity.errors import UsageError, first_line

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises of a text that it cannot read; the last two where its brackets nest too deep."""


def unreadable(file: str, error: BaseException) -> UsageError:
    """Say in one line where and why Python cannot read a file."""
    if isinstance(error, SyntaxError):
        place, text = f"{file}:{error.lineno}" if error.lineno else file, error.msg
    else:
        place, text = file, first_line(error) if isinstance(error, ValueError) else "its expressions nest too deep"
    return UsageError(f"{place}: Python cannot read the file, {text}: correct this line")


class FileSource(NamedTuple):
    """What a user's model was read from."""

    name: str
    """Its class or module."""
    file: str | None
    """Its file; None where it was made without one."""
    scope: str | None = None
    """The class that holds its attributes, or None for a module."""

    def at(self, attribute: str | None = None) -> str:
        """Return the place where the attribute is set; the whole where the line is not known."""
        if self.file is None:
            return self.name
        line = _line_of(self.file, self.scope, attribute)
        return shown(self.file) + (f":{line}" if line else "")


def source_of(thing: Any) -> FileSource:
    """Return where a module, class, instance or namespace was written."""
    if inspect.ismodule(thing):
        return FileSource(thing.__name__.rpartition(".")[2], getattr(thing, "__file__", None))
    owner = thing if inspect.isclass(thing) else type(thing)
    codes = [code_of(value) for base in owner.__mro__ for value in vars(base).values()]
    own = [code for code in codes if code and code.co_qualname.startswith(f"{owner.__qualname__}.")]
    return FileSource(owner.__name__, own[0].co_filename, owner.__name__) if own else FileSource(owner.__name__, None)


def code_of(function: Any) -> CodeType | None:
    """Return the code behind wrappers, bindings, properties and partial applications, and what makes a class.

    None where Python shows none.
    """
    if inspect.isclass(function):
        return code_of(function.__init__)
    function = function.fget if isinstance(function, property) else function
    while isinstance(function, partial | staticmethod | classmethod):
        function = function.func if isinstance(function, partial) else function.__func__
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return code if isinstance(code, CodeType) else None


def definition(function: Callable[..., Any]) -> str:
    """Return the place of a function's definition; its name where that is not known."""
    code = code_of(function)
    return f"{shown(code.co_filename)}:{code.co_firstlineno}" if code else getattr(function, "__name__", "the model")


def shown(file: str) -> str:
    """Return a path as a user would type it: from the current folder, where it lies below that."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


class TracebackStep(NamedTuple):
    """The last step of a traceback inside one file."""

    frame: FrameType
    line: int
    expression: ast.expr | None
    """What was being evaluated, where Python knows."""


def last_step(traceback: TracebackType | None, file: str) -> TracebackStep | None:
    """Return the innermost step of a traceback that was taken in this file."""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file:
            found = traceback
        traceback = traceback.tb_next
    return found and TracebackStep(found.tb_frame, found.tb_lineno, _expression(found))


def _expression(traceback: TracebackType) -> ast.expr | None:
    code = traceback.tb_frame.f_code
    first, last, start, end = list(code.co_positions())[traceback.tb_lasti // 2]
    if first is None or last is None or start is None or end is None:
        return None
    # Columns count bytes.
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(first, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    try:
        return ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except SyntaxError:  # a statement, such as z -= 1
        return None


def _line_of(file: str, scope: str | None, attribute: str | None) -> int | None:
    """Return the line that sets the attribute in a module or class; else the line of the class."""
    try:
        tree: ast.Module | ast.ClassDef = ast.parse(Path(file).read_bytes())
    except (OSError, *UNREADABLE):
        return None
    if scope is not None:
        classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == scope]
        if not classes:
            return None
        tree = classes[0]
    within = ast.walk(tree) if scope is not None else tree.body
    lines = [node.lineno for node in within if isinstance(node, ast.stmt) and attribute in _names_set(node)]
    return min(lines, default=tree.lineno if isinstance(tree, ast.ClassDef) else None)


def _names_set(node: ast.stmt) -> list[str]:
    """Return the names that a statement sets: x = …, self.x = …, def x."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [t.id for t in targets if isinstance(t, ast.Name)] + [
        t.attr for t in targets if isinstance(t, ast.Attribute)
    ]


def calling_line(function: Callable[..., Any]) -> str:
    """Return the line that is being run now in the file of ``function``; its definition where there is none."""
    code, frame = code_of(function), inspect.currentframe()
    while code and frame and frame.f_code.co_filename != code.co_filename:
        frame = frame.f_back
    return f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}" if code and frame else definition(function)
