"""A backward rule run again with its own source edited: which functions ran, and what an edit of one gives."""

import ast
import dis
import gc
import io
import linecache
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from gradparity.parity.guards import of_a_library
from gradparity.protocol import Trace


class Rule(NamedTuple):
    """A backward rule that can be run again, as its author has it or edited."""

    entry: CodeType
    """What is called: it may be no more than a wrapper, and is edited last."""
    place: Callable[[str, int], str]
    """How a line of a file is called."""
    run: Callable[[Trace], Mapping[str, np.ndarray]]
    """Returns its gradients; a derivation's lines are fed those of a witness."""
    forward: Callable[[], Mapping[str, np.ndarray]]
    """Runs the forward pass alone, and returns its values."""
    compiles: bool = False
    """Whether a library compiles what is new in an edit."""


ENTRIES = 30
"""A larger mapping is data."""

InScope: TypeAlias = Mapping[str, Any]
"""What a function calls its arrays and numbers -> what they were when it returned."""
Run: TypeAlias = Callable[[], Mapping[str, np.ndarray]]
"""Runs the rule and returns its gradients."""


@runtime_checkable
class PlainFunction(Protocol):
    """A plain function, whose code may be put in the place of another."""

    __code__: CodeType

    @property
    def __globals__(self) -> dict[str, Any]: ...


class Editable(NamedTuple):
    """A user's function that ran, with its source."""

    function: "PlainFunction"
    tree: ast.FunctionDef
    variables: dict[str, Any]
    """Its variables when it returned."""

    @property
    def file(self) -> str:
        """Where it stands."""
        return self.function.__code__.co_filename

    def known(self) -> InScope:
        """Name its arrays and numbers: variables, entries and attributes of them, what else its source reads."""
        found = {name: value for name, value in self.variables.items() if _is_number(value)}
        for name, value in self.variables.items():
            inside = {f"{name}[{key!r}]": each for key, each in value.items()} if isinstance(value, dict) else {}
            if not callable(value) and not hasattr(value, "dtype"):
                inside |= {f"{name}.{key}": each for key, each in getattr(value, "__dict__", {}).items()}
            if len(inside) <= ENTRIES:
                found |= {text: each for text, each in inside.items() if _is_number(each)}
        for text in _expressions(self.tree):
            value = self._value(text)
            if _is_number(value):
                found.setdefault(text, value)
        return found

    def shape(self, node: ast.expr) -> tuple[int, ...] | None:
        """Return the shape of what an expression was when the function returned, where that can be told."""
        if any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(node)):
            return None
        value = self._value(ast.unparse(node))
        return np.shape(value) if _is_number(value) else None

    def _value(self, text: str) -> Any:
        try:
            return eval(text, self.function.__globals__, self.variables)
        except Exception:  # what the function deletes, or has only in another branch
            return None

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Give the function its own code back."""
        code = self.function.__code__
        try:
            yield
        finally:
            self.function.__code__ = code

    def tried(self, run: Run) -> Mapping[str, np.ndarray]:
        """Run the rule with the tree as it is now; nothing where that does not run."""
        code = _compiled(self.function, self.tree)
        if code is None:
            return {}
        self.function.__code__ = code
        try:
            with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
                return run()
        except Exception:  # whatever an edit breaks
            return {}


def functions_of(rule: Rule, run: Run) -> list[Editable]:
    """Return the user's functions that a rule runs and whose source is known: what the forward runs too comes last."""
    ran, shared = _watched(run), _watched(rule.forward)
    holders = [held for held in gc.get_referrers(*ran) if isinstance(held, FunctionType) and held.__code__ in ran]
    trees = {held: _tree_of(held) for held in sorted(holders, key=lambda h: h.__code__ in (*shared, rule.entry))}
    return [Editable(held, tree, ran[held.__code__]) for held, tree in trees.items() if tree is not None]


def variables_of(run: Callable[[], Any]) -> list[dict[str, Any]]:
    """Return the variables of the user's functions that run, when each returned last."""
    return list(_watched(run).values())


def _watched(run: Callable[[], Any]) -> dict[CodeType, dict[str, Any]]:
    """Run once, and return the code of the user's functions that ran, each with its variables when it returned last."""
    ran: dict[CodeType, dict[str, Any]] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and _is_users(frame.f_code.co_filename):
            ran[frame.f_code] = dict(frame.f_locals)

    profile = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(profile if callable(profile) else None)  # a profiler in C cannot be put back
    return ran


OWN = str(Path(__file__).parents[2])
"""Where gradparity itself is."""


def _is_users(file: str) -> bool:
    return not of_a_library(file) and not file.startswith(("<", OWN))


def _is_number(value: Any) -> bool:
    number = isinstance(value, float | int | np.generic) and not isinstance(value, bool)
    return number or (hasattr(value, "dtype") and isinstance(getattr(value, "shape", None), tuple))


def _expressions(tree: ast.FunctionDef) -> Sequence[str]:
    """Return the entries and attributes that a function reads, and other arrays at the places that it reads at."""
    found: dict[str, None] = {}
    read = [n for n in ast.walk(tree) if isinstance(n, ast.Subscript | ast.Attribute) and isinstance(n.ctx, ast.Load)]
    for node in filter(_is_plain, read):
        found[ast.unparse(node)] = None
    places = {ast.unparse(n.slice): n.slice for n in ast.walk(tree) if isinstance(n, ast.Subscript)}
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not n.id.startswith("__")}
    for place in places.values():
        if _is_place(place) and not isinstance(place, ast.Constant):
            found.update((ast.unparse(ast.Subscript(ast.Name(name), place)), None) for name in sorted(names))
    return list(found)


def _is_plain(node: Any) -> bool:
    if isinstance(node, ast.Subscript):
        return _is_place(node.slice) and _is_plain(node.value)
    if isinstance(node, ast.Attribute):
        plain = isinstance(node.value, ast.Name) and node.value.id not in ("np", "xp", "math", "jnp", "torch")
        return plain and node.attr not in ("T", "shape", "dtype", "size")
    return isinstance(node, ast.Name)


def _is_place(node: ast.expr) -> bool:
    """Whether an index is made of names, numbers and colons alone."""
    parts = (ast.Constant, ast.Name, ast.JoinedStr, ast.Slice, ast.Tuple, ast.expr_context)
    return all(isinstance(part, parts) for part in ast.walk(node))


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


def _compiled(function: PlainFunction, tree: ast.FunctionDef) -> CodeType | None:
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
