"""A piece of code as strangers write it, right or with one mistake, and what a check of it must find.

``pieces/`` holds the strangers' files, which know nothing of gradparity. A mistake is one replacement in the text of
such a file, so that it stands where its author would have made it. ``catalogue/`` says how each is brought in.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

import gradparity
from gradparity.parity.report import Report

Way = Literal["vjp", "autograd_function", "custom_vjp", "model_file"]
Function = Callable[..., Any]

PIECES = Path(__file__).parent / "pieces"


@dataclass(frozen=True)
class Mistake:
    """One replacement in a file, and what must be said of it."""

    name: str
    was: str
    """Stands once in the file."""
    instead: str
    lines: tuple[str, ...]
    """The arguments, or the lines of a model, whose gradient it makes wrong: all of them and no other."""
    says: str
    """A regular expression that the sentence on at least one of them matches."""


@dataclass(frozen=True)
class Piece:
    """One check of one file."""

    name: str
    file: str
    """In ``pieces/``, without its ending; it is the style too."""
    way: Way
    subject: Callable[[ModuleType], tuple[Any, Function]] = lambda _: (None, lambda: None)
    """What the user passes: (f, vjp), (Function, reference) or (custom_vjp function, reference)."""
    arguments: tuple[Any, ...] = ()
    choices: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the check."""
    remark: str = ""
    """A regular expression that one of the remarks on a right piece matches."""
    mistake: Mistake | None = None

    @property
    def right(self) -> bool:
        return self.mistake is None

    @property
    def style(self) -> str:
        return self.file.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.style}: {self.name}" + (f", {self.mistake.name}" if self.mistake else "")


def pieces(right: Piece, *mistakes: Mistake) -> Iterator[Piece]:
    """Yield the right piece, and it with each of the mistakes."""
    yield right
    for mistake in mistakes:
        yield replace(right, mistake=mistake)


def mistake(name: str, was: str, instead: str, lines: str, says: str) -> Mistake:
    """Take the lines as one would say them: "x, W"."""
    return Mistake(name, was, instead, tuple(lines.split(", ")), says)


def written(piece: Piece, folder: Path) -> Path:
    """Write the file with its mistake. Raises AssertionError unless the text to be replaced stands there once."""
    text = (PIECES / f"{piece.file}.py").read_text(encoding="utf-8")
    if piece.mistake:
        times = text.count(piece.mistake.was)
        assert times == 1, f"{piece}: {piece.mistake.was!r} stands {times} times"
        text = text.replace(piece.mistake.was, piece.mistake.instead)
    path = folder / f"{piece.file.rpartition('/')[2]}.py"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(piece: Piece, folder: Path) -> ModuleType:
    """Import the file, with its mistake."""
    path = written(piece, folder)
    spec = spec_from_file_location(f"foreign_{folder.name}_{path.stem}".replace("-", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def checked(piece: Piece, folder: Path) -> Report:
    """Check the piece as its author would, with its file in this empty folder."""
    if piece.way == "model_file":
        return gradparity.check(written(piece, folder), **piece.choices)
    checks: dict[Way, Callable[..., Report]] = {
        "vjp": gradparity.check_vjp,
        "autograd_function": gradparity.check_autograd_function,
        "custom_vjp": gradparity.check_custom_vjp,
    }
    function, other = piece.subject(loaded(piece, folder))
    return checks[piece.way](function, other, *piece.arguments, **piece.choices)


def lines_found(report: Report) -> set[str]:
    """Return the lines that a report blames."""
    return {row.line for row in report.findings}


def cause_told(mistake: Mistake, report: Report) -> bool:
    """Whether a sentence on one of the wrong lines says what is wrong."""
    told = [row.diagnosis or row.note for row in report.findings if row.line in mistake.lines]
    return any(re.search(mistake.says, sentence) for sentence in told)


def layer(forward: Function, backward: Function) -> tuple[Function, Function]:
    """Bring in a pair ``out, cache = forward(…)`` and ``backward(dout, cache)``."""

    @wraps(forward)
    def f(*arguments: Any) -> Any:
        return forward(*arguments)[0]

    @wraps(backward)
    def vjp(*arguments: Any) -> Any:
        *inputs, dout = arguments
        return backward(dout, forward(*inputs)[1])

    return f, vjp


def loss(loss_and_grads: Function) -> tuple[Function, Function]:
    """Bring in a function that returns its loss and the gradients of its leading arguments."""

    @wraps(loss_and_grads)
    def f(*arguments: Any) -> Any:
        return loss_and_grads(*arguments)[0]

    @wraps(loss_and_grads)
    def vjp(*arguments: Any) -> Any:
        *inputs, dout = arguments
        grads = loss_and_grads(*inputs)[1]
        found = [scaled(g, dout) for g in (grads if isinstance(grads, tuple) else (grads,))]
        return (*found, *(None for _ in inputs[len(found) :]))

    return f, vjp


def scaled(tree: Any, factor: Any) -> Any:
    """Multiply every array of a tree."""
    if isinstance(tree, dict):
        return {key: scaled(branch, factor) for key, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(scaled(branch, factor) for branch in tree)
    return tree * factor


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Draw N(0, 1), in float64."""
    return np.asarray(np.random.default_rng([seed, *shape]).normal(size=shape))
