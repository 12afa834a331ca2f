"""A notebook's code cells as one Python text, line for line, in which what is Jupyter's own does nothing."""

import ast
import json
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from gradparity.errors import UsageError
from gradparity.subjects.model_file.source import UNREADABLE

PYTHON = frozenset({"time", "timeit", "capture", "prun", "gradparity"})
"""Cell magics whose cell is Python."""
SHELL = re.compile(r"^(\s*)(?=[%!?]|[\w.]+\?{1,2}\s*$)")
"""A line that is Jupyter's: %magic, !command, ?name, name?"""
ASSIGNED = re.compile(r"^(\s*[\w., ]+=\s*)(?=[%!])")
"""What a magic or a command returns is given a name: files = !ls"""


def cells_of(path: Path, text: str) -> list[str]:
    """Return the code cells of a notebook as Python. Raises UsageError for what is no notebook."""
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        return [as_python("".join(cell["source"])) for cell in cells]
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path}: a notebook is JSON with a list of cells, this is not: save it anew") from error


def starts_of(cells: list[str]) -> tuple[int, ...]:
    """Return the line in which each cell starts, all being one text."""
    return tuple(accumulate((cell.count("\n") + 1 for cell in cells[:-1]), initial=1)) if cells else ()


def as_python(cell: str) -> str:
    """Return a cell with a step that does nothing in place of what is Jupyter's.

    What Python cannot read it cannot read once the cell is run, either: other cells are none the worse for it.
    """
    if _error_in(cell) is None:
        return cell
    lines = list(_without_jupyters(cell))
    error = _error_in("\n".join(lines))
    if error is None:
        return "\n".join(lines)
    at = min(getattr(error, "lineno", None) or 1, len(lines)) - 1
    return "\n".join(f"raise SyntaxError({_said(error)!r})" if i == at else "#" for i in range(len(lines)))


def _without_jupyters(cell: str) -> Iterator[str]:
    lines = cell.split("\n")
    magic = next((re.match(r"%%(\w+)", line) for line in lines if line.strip()), None)
    python = magic is None or magic[1] in PYTHON
    for line in lines:
        if not python or line.startswith("%%"):
            yield f"# {line}"
        else:
            yield ASSIGNED.sub(r"\1None  # ", SHELL.sub(r"\1pass  # ", line))


def _error_in(text: str) -> BaseException | None:
    try:
        ast.parse(text)
    except UNREADABLE as error:
        return error
    return None


def _said(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


class Shell:
    """What ``get_ipython()`` returns where no Jupyter runs: whatever is asked of it, it does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None
