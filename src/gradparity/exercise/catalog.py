"""What an exercise is, and which there are: a package has a folder for each, and registers itself.

An entry point of the group ``gradparity.exercises`` names a package. Each of its folders that holds ``exercise.toml``
is an exercise of the folder's name, and ``start.py.txt`` beside it is what a learner begins with: a user's own model,
as docs/your-own-model.md describes it, that says ``exercise = "name"``.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from gradparity.errors import UsageError, unknown
from gradparity.output import write_text

GROUP = "gradparity.exercises"
ABOUT, START = "exercise.toml", "start.py.txt"
MARK = "exercise"
"""The name that a learner's file gives to its exercise."""


@dataclass(frozen=True)
class Exercise:
    """A file to work on, and what may be said about each line of its backward pass."""

    order: tuple[int, int]
    """Its lesson, and its place among that lesson's."""
    task: str
    """One sentence."""
    text: str
    """What ``start`` writes. A line that is left blank reads ``d["name"] = ...``."""
    questions: Mapping[str, str]
    """Line -> a question that leads to its gradient, in the order of the backward pass, nearest the loss first."""
    solution: Mapping[str, str] = field(default_factory=dict)
    """Line -> a statement that is right, for what is blank or wrong in ``text``; empty where it is kept elsewhere."""

    def lines_of(self, line: str) -> str:
        """Return how a line may be written: as the solution has it, else as it stands in ``text``."""
        return self.solution.get(line) or "\n".join(ast.unparse(each) for each in writing(self.text, line))

    def solved(self) -> str:
        """Return ``text`` with every line as the solution has it."""
        text = self.text
        for line, code in self.solution.items():
            first, *others = writing(text, line)
            rows = text.splitlines(keepends=True)
            indent = " " * first.col_offset
            new = "".join(f"{indent}{row}\n" if row else "\n" for row in code.strip().splitlines())
            last = (others or [first])[-1].end_lineno
            text = "".join([*rows[: first.lineno - 1], new, *rows[last:]])
        return text


def writing(text: str | bytes, line: str) -> list[ast.stmt]:
    """Return the statements of ``backward`` that write a line: ``d["W"] = …``, or ``d.add("W", …)``."""
    writes = (f"d[{line!r}] =", f"d[{line!r}, ", f"d.add({line!r}, ", f"d.add(({line!r}, ")
    backward = (node for node in ast.parse(text).body if getattr(node, "name", "") == "backward")
    inside = (node for each in backward for node in ast.walk(each))
    found = [
        node for node in inside if isinstance(node, ast.Assign | ast.Expr) and ast.unparse(node).startswith(writes)
    ]
    return sorted(found, key=lambda node: node.lineno)


def exercises() -> dict[str, Exercise]:
    """Return every registered exercise by name, in the order of the lessons; a package that is gone is left out."""
    found: dict[str, Exercise] = {}
    for entry in entry_points(group=GROUP):
        try:
            package = files(entry.value)
        except ImportError:  # what it needs is not installed
            continue
        found |= {_name(folder): read(folder) for folder in _folders(package)}
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def _folders(package: Traversable) -> Iterator[Traversable]:
    return (each for each in package.iterdir() if each.is_dir() and each.joinpath(ABOUT).is_file())


def _name(folder: Traversable) -> str:
    return folder.name.replace("_", "-")


def read(folder: Traversable) -> Exercise:
    """Read an exercise from its folder. Raises UsageError for what is missing there."""
    try:
        about = tomllib.loads(folder.joinpath(ABOUT).read_text(encoding="utf-8"))
        return Exercise(
            order=(about["lesson"], about["place"]),
            task=about["task"],
            text=folder.joinpath(START).read_text(encoding="utf-8"),
            questions=about["questions"],
            solution=about.get("solution", {}),
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"the exercise in '{folder}' cannot be read, {error}: it needs {START}, and in {ABOUT} lesson, place, task "
            "and questions"
        ) from None


def exercise(name: str) -> Exercise:
    """Return the exercise of this name. Raises UsageError if there is none."""
    known = exercises()
    if name not in known:
        raise unknown("exercise", name, known)
    return known[name]


def start(name: str) -> Path:
    """Write an exercise's file to the current folder. Raises UsageError where it is there already."""
    text, path = exercise(name).text, Path(name.replace("-", "_") + ".py")
    if path.exists() or path.is_symlink():
        raise UsageError(f"'{path}' is there already and stays as it is: rename it, or use another folder")
    write_text(path, text)
    return path


def name_in(path: Path) -> str:
    """Read in a learner's file, without running it, which exercise it is. Raises UsageError where it does not say."""
    if not path.is_file():
        raise UsageError(f"there is no file '{path}': check the path, or run  gradparity exercise list")
    if path.suffix != ".py":
        raise UsageError(f"an exercise's file ends in .py, got '{path}'")
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else str(path)
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"{place}: Python cannot read the file, {text}: correct this line") from None
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))) if name == MARK:
                exercise(value)
                return value
    raise UsageError(f"'{path}' is no exercise, for it has no line  {MARK} = \"name\": see  gradparity exercise list")
