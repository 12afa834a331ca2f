"""What an exercise is, and which there are: packages register theirs in the entry-point group ``gradparity.exercises``.

A learner's file is a user's own model, as docs/your-own-model.md describes it, that says ``exercise = "name"``.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from gradparity.errors import UsageError, unknown
from gradparity.output import write_text

GROUP = "gradparity.exercises"
MARK = "exercise"
"""The name that a learner's file gives to its exercise."""


@dataclass(frozen=True)
class Exercise:
    """A file to work on, and what may be said about each line of its backward pass."""

    level: int
    """Exercises are listed, and one comes after another, by level."""
    task: str
    """One sentence."""
    text: str
    """What ``start`` writes. A line that is left blank reads ``d["name"] = ...``."""
    questions: Mapping[str, str]
    """Line -> a question that leads to its gradient, in the order of the backward pass, nearest the loss first."""


def exercises() -> dict[str, Exercise]:
    """Return every registered exercise by name, in the order of their levels; one that cannot be imported is absent."""
    found: dict[str, Exercise] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = entry.load()
        except ImportError:  # what its package needs is not installed
            continue
    return dict(sorted(found.items(), key=lambda item: (item[1].level, item[0])))


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
    except (SyntaxError, ValueError) as error:
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
