"""The hand derivation's own statements: which ones write each name to ``c`` and to ``d``."""

import ast
import inspect
import linecache
import re
from types import FrameType
from typing import TypeAlias

import numpy as np

from gradparity import recording
from gradparity.protocol import Batch, HandDerivation, Params
from gradparity.recording import Recorder, View, name_of

Statements: TypeAlias = dict[str, tuple[str, ...]]
"""Name -> the statements that write it, each in one line."""
OWN = (__file__, recording.__file__)


def statements(hand: HandDerivation, params: Params, batch: Batch) -> tuple[Statements, Statements]:
    """Run the derivation on NumPy arrays, and return the statements of its forward and of its backward pass.

    Where Python knows no source, as for code that was typed in, a name is absent.
    """
    of_c, of_d = Statements(), Statements()
    c: Recorder = Recorder("c", {}, inspect=lambda key, _: _note(of_c, name_of(key), c))
    d: Recorder = Recorder("d", {"loss": np.ones(())}, seed="loss", inspect=lambda key, _: _note(of_d, name_of(key), d))
    hand.forward(params, batch, c)
    hand.backward(params, batch, c, d)
    return of_c, of_d


def _note(found: Statements, name: str, recorder: Recorder) -> None:
    statement = _writing(recorder, inspect.currentframe())
    # A loop runs the same statement in every pass.
    if statement and statement not in found.get(name, ()):
        found[name] = (*found.get(name, ()), statement)


def _writing(recorder: Recorder, frame: FrameType | None) -> str:
    """Return the innermost statement being run of a function that has the recorder in a variable of its own."""
    while frame is not None and (frame.f_code.co_filename in OWN or not _has(frame, recorder)):
        frame = frame.f_back
    if frame is None:
        return ""
    source = "".join(linecache.getlines(frame.f_code.co_filename))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno)
    ]
    innermost = max(around, key=lambda node: (node.lineno, node.col_offset), default=None)
    segment = ast.get_source_segment(source, innermost) if innermost else None
    return _in_full(" ".join((segment or "").split()), frame)


def _has(frame: FrameType, recorder: Recorder) -> bool:
    values = frame.f_locals.values()
    return any((value.behind("")[0] if isinstance(value, View) else value) is recorder for value in values)


def _in_full(statement: str, frame: FrameType) -> str:
    """Write the names of an operation's views as the model has them: ``c["out"]`` becomes ``c["z1"]``."""

    def full(found: re.Match[str]) -> str:
        view = frame.f_locals.get(found["view"])
        return found[0] if not isinstance(view, View) else f'{found["to"]}"{view.behind(found["name"])[1]}"'

    return re.sub(r'(?P<to>\b(?P<view>\w+)(?:\[|\.add\(\(?))"(?P<name>\w+)"', full, statement)
