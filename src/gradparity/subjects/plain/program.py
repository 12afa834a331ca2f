"""A user's file or notebook, rewritten in a module of its own, and what it needs around it to run as a script."""

import contextlib
import importlib.abc
import importlib.machinery
import io
import os
import sys
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from gradparity.errors import UsageError
from gradparity.subjects.model_file.source import UNREADABLE, unreadable
from gradparity.subjects.plain.hooked import HOOKS
from gradparity.subjects.plain.instrument import Source
from gradparity.subjects.plain.notebook import Shell, cells_of, starts_of
from gradparity.subjects.plain.recorder import Hooks


@dataclass(eq=False)
class Program:
    """A user's file, rewritten, in a module of its own."""

    file: str
    text: str
    source: Source = field(default_factory=Source)
    hooks: Hooks = field(default_factory=Hooks)
    folder: Path = field(default_factory=Path.cwd)
    """Where the user is: places are told from there."""
    cells: tuple[int, ...] = ()
    """Of a notebook, the line in which each code cell starts."""
    texts: dict[str, str] = field(default_factory=dict)
    """File -> its text, of this one and those that it imports from beside it."""
    module: ModuleType = field(init=False)
    code: CodeType = field(init=False)

    def __post_init__(self) -> None:
        self.texts[self.file] = self.text
        try:
            self.code = compile(self.source.rewritten(self.text, self.file), self.file, "exec")
        except UNREADABLE as error:
            raise self._unreadable(error) from error
        self.module = ModuleType("__main__")
        self.module.__dict__.update({"__file__": self.file, HOOKS: self.hooks, "get_ipython": Shell})

    def shown(self, file: str = "") -> str:
        """Return a file as the user would type it."""
        path = Path(file or self.file)
        in_jupyter = _cell_in_jupyter(str(path))
        if in_jupyter:
            return in_jupyter
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else str(path)

    def place(self, file: str, line: int) -> str:
        """Say where a line is, file and all."""
        joined = ", " if self.cells and file == self.file else ":"
        return f"{self.shown(file)}{joined}{self.line(file, line).removeprefix('line ' if joined == ':' else '')}"

    def line(self, file: str, line: int) -> str:
        """Say where a line is in its file: "line 7"; in a notebook "cell 2, line 3"."""
        cell, own = self.within_cell(file, line)
        return f"cell {cell}, line {own}" if cell else f"line {own}"

    def within_cell(self, file: str, line: int) -> tuple[int, int]:
        """Return which cell a line is in, 0 in a file that has none, and the line's number there."""
        cell = bisect(self.cells, line) if file == self.file else 0
        return cell, line - self.cells[cell - 1] + 1 if cell else line

    def _unreadable(self, error: BaseException) -> UsageError:
        if not isinstance(error, SyntaxError) or not error.lineno:
            return unreadable(self.shown(), error)
        return UsageError(
            f"{self.place(self.file, error.lineno)}: Python cannot read the file, {error.msg}: correct this line"
        )

    def run(self) -> None:
        """Run the whole file. Raises what it raises."""
        exec(self.code, self.module.__dict__)


def _cell_in_jupyter(file: str) -> str:
    """Return what Jupyter calls a cell, In[3], by the file that its code claims to be from."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    called = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)(file)
    return called[1] if called else ""


def program_of(path: Path) -> Program:
    """Read a file, or the code cells of a notebook. Raises UsageError."""
    if not path.is_file():
        raise UsageError(f"there is no file '{path}': check the path, from the folder {Path.cwd()}")
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return Program(str(path.resolve()), text)
    cells = cells_of(path, text)
    return Program(str(path.resolve()), "\n".join(cells), cells=starts_of(cells))


@contextlib.contextmanager
def as_a_script(program: Program) -> Iterator[None]:
    """Be in the file's folder, with its neighbours importable and rewritten too, and with plots drawn to nowhere."""
    folder = str(Path(program.file).parent)
    before = os.getcwd(), list(sys.path), sys.argv, set(sys.modules), os.environ.get("MPLBACKEND")
    main, typed = sys.modules["__main__"], sys.stdin
    finder = _Finder(folder, program)
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = [program.file]
    sys.stdin = io.StringIO()  # what asks for input is told that there is none, and does not wait
    os.environ["MPLBACKEND"] = "Agg"
    sys.modules["__main__"] = program.module
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.modules["__main__"], sys.stdin = main, typed
        os.chdir(before[0])
        sys.path[:] = before[1]
        sys.argv = before[2]
        os.environ.pop("MPLBACKEND")
        if before[4] is not None:
            os.environ["MPLBACKEND"] = before[4]
        for name in set(sys.modules) - before[3]:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder + os.sep):
                del sys.modules[name]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules beside a file, and rewrites them as they are read."""

    def __init__(self, folder: str, program: Program) -> None:
        self._folder = folder
        self._program = program

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:  # noqa: ARG002
        where = self._folder if path is None else next(iter(path), "")
        if not Path(where).is_relative_to(self._folder) or "site-packages" in where:
            return None  # a library's
        details = (lambda module, file: _Loader(module, file, self._program), [".py"])
        return importlib.machinery.FileFinder(where, details).find_spec(name)  # type: ignore[arg-type]


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, file: str, program: Program) -> None:
        super().__init__(name, file)
        self._program = program

    def get_code(self, fullname: str) -> CodeType:
        file = self.get_filename(fullname)
        text = self._program.texts[file] = Path(file).read_text(encoding="utf-8")
        return compile(self._program.source.rewritten(text, file), file, "exec")

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[HOOKS] = self._program.hooks
        super().exec_module(module)
