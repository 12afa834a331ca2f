"""Which small edit of a rule's own source makes a wrong gradient right: then the mistake has a line and a name.

A rule that is one function of ordinary code tells no intermediates by which an error could be explained. But it can be
run again: each likely edit (``edits``) is put in force, and one that makes wrong gradients right, to rounding, and no
right one wrong, is what its author has most likely meant. On numbers as general as a check's that is no chance.
"""

import ast
import dis
import gc
import io
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from time import process_time
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from gradparity.parity.diagnosis.edits import LIKELIEST_FIRST, Edit, known_expressions
from gradparity.parity.norms import relative_error
from gradparity.protocol import Trace

SECONDS = 3.0
"""Edits are tried about this long at most."""


class Mended(NamedTuple):
    """An edit and what it makes right."""

    place: str
    edit: Edit
    lines: frozenset[str]

    @property
    def sentence(self) -> str:
        """What is wrong, without the name of the line."""
        was, instead = (_short(text) for text in (self.edit.was, self.edit.instead))
        return f"{self.edit.why}: with `{instead}` in place of `{was}` it is right"


class Rule(NamedTuple):
    """A backward rule that can be run again, as its author has it or edited."""

    file: str
    """Where its code stands."""
    place: Callable[[int], str]
    """How a line of the file is called."""
    run: Callable[[Trace], Mapping[str, np.ndarray]]
    """Returns its gradients; a derivation's lines are fed those of a witness."""
    forward: Callable[[], Any]
    """Runs the forward pass alone: what it runs is edited last."""


def mend(rule: Rule, truth: Trace, limits: Mapping[str, float]) -> Mended | None:
    """Find an edit of the functions in the rule's file by which wrong lines become right, and no right one wrong.

    ``limits`` are the largest relative errors of a right line. The functions are as before on return.
    """

    def right() -> dict[str, bool]:
        found = rule.run(truth)
        return {
            line: line in found and relative_error(found[line], truth.gradients[line]) <= limit
            for line, limit in limits.items()
        }

    ran = _watched(rule.file, right)
    before, shared = right(), _watched(rule.file, rule.forward)
    wrong = {line for line, good in before.items() if not good}
    trees = {function: _tree_of(function) for function in sorted(ran, key=lambda function: function in shared)}
    best: Mended | None = None
    until = process_time() + SECONDS
    for kind in LIKELIEST_FIRST:
        for function, tree in trees.items():
            if tree is None:
                continue
            with _restored(function):
                for edit in kind(tree, known_expressions(tree, ran[function])):
                    if process_time() > until:
                        return best
                    now = _tried(function, tree, right)
                    mended = frozenset(line for line in wrong if now.get(line))
                    kept = all(now.get(line) for line in before if line not in wrong)
                    if kept and mended and (best is None or len(mended) > len(best.lines)):
                        best = Mended(rule.place(edit.line), edit, mended)
                        if mended == wrong:
                            return best
    return best


def _tried(function: FunctionType, tree: ast.FunctionDef, right: Callable[[], dict[str, bool]]) -> dict[str, bool]:
    code = _compiled(function, tree)
    if code is None:
        return {}
    function.__code__ = code
    try:
        with np.errstate(all="ignore"), redirect_stdout(io.StringIO()):
            return right()
    except Exception:  # whatever an edit breaks
        return {}


def _watched(file: str, run: Callable[[], Any]) -> dict[FunctionType, list[str]]:
    """Run once, and return the functions of the file that ran, each with its variables that hold numbers."""
    ran: dict[CodeType, list[str]] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_filename == file:
            numbers = [name for name, value in frame.f_locals.items() if _is_a_number(value)]
            ran.setdefault(frame.f_code, []).extend(n for n in numbers if n not in ran.get(frame.f_code, ()))

    profile = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(profile)
    holders = [held for held in gc.get_referrers(*ran) if isinstance(held, FunctionType) and held.__code__ in ran]
    return {held: ran[held.__code__] for held in holders}


def _is_a_number(value: Any) -> bool:
    return isinstance(value, float | int | np.generic) or hasattr(value, "dtype")


def _tree_of(function: FunctionType) -> ast.FunctionDef | None:
    """Return the function's source; None where the file has another one by now."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except SyntaxError:
        return None
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == code.co_name]
    within = [
        node for node in named if node.lineno <= code.co_firstlineno + len(node.decorator_list) <= node.body[0].lineno
    ]
    same = within and (now := _compiled(function, within[0])) and _essence(now) == _essence(code)
    return within[0] if same else None


def _essence(code: CodeType) -> tuple[Any, ...]:
    """What two compilations of one source share: calls differ where Python sees that a name is a module's."""
    operators = [step.argrepr for step in dis.get_instructions(code) if step.opname in ("BINARY_OP", "COMPARE_OP")]
    constants = [constant for constant in code.co_consts if not isinstance(constant, CodeType)]
    return code.co_names, code.co_varnames, constants, operators


def _compiled(function: FunctionType, tree: ast.FunctionDef) -> CodeType | None:
    """Return the code of the edited function, with the same free variables; None where it cannot replace the old."""
    free = function.__code__.co_freevars
    own = ast.copy_location(ast.FunctionDef(tree.name, tree.args, tree.body, [], None), tree)
    outer = ast.parse(f"def outer({', '.join(free)}):\n    pass")
    outer.body[0].body = [own]  # type: ignore[attr-defined]
    try:
        module = compile(ast.fix_missing_locations(outer), function.__code__.co_filename, "exec")
    except (SyntaxError, ValueError, TypeError):
        return None
    inner = next(
        (c for c in _nested(module) if c.co_name == tree.name and c.co_argcount == function.__code__.co_argcount), None
    )
    return inner if inner is not None and inner.co_freevars == free else None


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


@contextmanager
def _restored(function: FunctionType) -> Iterator[None]:
    code = function.__code__
    try:
        yield
    finally:
        function.__code__ = code


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
