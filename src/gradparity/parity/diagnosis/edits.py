"""What the author of a rule may have meant: one small edit of its source at a time, the likeliest first.

Each is a mistake that people make, undone: a sign, a transpose, an axis, a name for another, ``=`` for ``+=``, a factor
or a share that was forgotten. What is edited is a syntax tree, and whoever asks for the next edit finds it as it was.
"""

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from gradparity.parity.diagnosis.variants import SUMS, called, forgotten, likely, others


class Edit(NamedTuple):
    """One replacement, in force until the next one is asked for."""

    line: int
    was: str
    instead: str
    why: str


class _Slot(NamedTuple):
    """A place of a tree that holds an expression."""

    node: ast.expr
    put: Callable[[ast.expr], None]


def replacements(function: ast.FunctionDef, _: Sequence[str]) -> Iterator[Edit]:
    """Put one thing for another of its kind, and whole statements otherwise."""
    yield from _statements(function)
    for slot in _slots_of(function):
        yield from _replaced(slot, likely(slot.node))


def other_names(function: ast.FunctionDef, names: Sequence[str]) -> Iterator[Edit]:
    """Put one name for another, of the arrays and numbers that the function knows."""
    for slot in _slots_of(function):
        yield from _replaced(slot, others(slot.node, names))


def additions(function: ast.FunctionDef, names: Sequence[str]) -> Iterator[Edit]:
    """Add a factor or a share, made of the arrays and numbers that the function knows."""
    for slot in filter(_is_a_value, _slots_of(function)):
        yield from _replaced(slot, forgotten(slot.node, names))


LIKELIEST_FIRST = (replacements, other_names, additions)


def _slots_of(function: ast.FunctionDef) -> list[_Slot]:
    return [slot for statement in function.body for slot in _slots(statement)]


def _replaced(slot: _Slot, variants: Iterator[tuple[str, str]]) -> Iterator[Edit]:
    was = ast.unparse(slot.node)
    for instead, why in variants:
        try:
            new = ast.parse(f"({instead})", mode="eval").body
        except SyntaxError:
            continue
        slot.put(ast.copy_location(new, slot.node))
        yield Edit(slot.node.lineno, was, instead, why)
        slot.put(slot.node)


def _slots(root: ast.AST) -> Iterator[_Slot]:
    for field, value in ast.iter_fields(root):
        for i, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or (isinstance(root, ast.While) and field == "test"):
                continue
            if isinstance(root, ast.keyword) and root.arg in ("axis", "dim", "keepdims", "keepdim", "dtype"):
                continue
            if isinstance(root, ast.Call) and isinstance(node, ast.Constant) and called(root) in SUMS:
                continue
            if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
                yield _Slot(node, _putter(root, field, i if isinstance(value, list) else None))
            yield from _slots(node)


def _putter(root: ast.AST, field: str, i: int | None) -> Callable[[ast.expr], None]:
    def put(node: ast.expr) -> None:
        if i is None:
            setattr(root, field, node)
        else:
            getattr(root, field)[i] = node

    return put


def _is_a_value(slot: _Slot) -> bool:
    """Whether something may be missing beside it: not beside a name in front of a dot, nor beside a number."""
    return isinstance(slot.node, ast.BinOp | ast.Name | ast.Call | ast.Subscript | ast.Attribute | ast.UnaryOp)


def _statements(function: ast.FunctionDef) -> Iterator[Edit]:
    """Whole statements: one that overwrites where it should add, and one too many."""
    for body in _bodies(function):
        for i, statement in enumerate(list(body)):
            for new, why in chain(_added(statement), _left_out(statement)):
                body[i] = ast.copy_location(new, statement)
                instead = "nothing" if isinstance(new, ast.Pass) else ast.unparse(new)
                yield Edit(statement.lineno, " ".join(ast.unparse(statement).split()), instead, why)
                body[i] = statement


def _bodies(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(function):
        for field in ("body", "orelse"):
            held = getattr(node, field, None)
            if isinstance(held, list):
                yield held


def _added(statement: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    wins = "lets the last one win: = overwrites where += adds"
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        (target,), value = statement.targets, statement.value
        if isinstance(target, ast.Name | ast.Subscript | ast.Attribute):
            yield ast.AugAssign(target, ast.Add(), value), wins
            if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
                yield ast.AugAssign(target, ast.Sub(), value.operand), wins
    if isinstance(statement, ast.Assign | ast.AugAssign):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Subscript) and not any(isinstance(n, ast.Slice) for n in ast.walk(target.slice)):
            array, index, added = (ast.unparse(part) for part in (target.value, target.slice, statement.value))
            for text in (
                f"np.add.at({array}, ({index}), {added})",
                f"{array}.index_put_((({index}),), {added}, accumulate=True)",
            ):
                yield ast.parse(text).body[0], "counts repeated entries once: the last one wins"


def _left_out(statement: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    if isinstance(statement, ast.Expr | ast.AugAssign | ast.For | ast.If):
        yield ast.Pass(), "does something too much"
    if isinstance(statement, ast.If):
        yield ast.If(ast.Constant(True), statement.body, []), "asks for a condition too much"


def known_expressions(function: ast.FunctionDef, variables: Collection[str]) -> list[str]:
    """Return what a function calls its arrays and numbers: variables, and plain entries and attributes of them."""
    found: dict[str, None] = dict.fromkeys(variables)
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_plain(node):
            found[ast.unparse(node)] = None
    return list(found)


def _is_plain(node: Any) -> bool:
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant | ast.Name | ast.JoinedStr) and _is_plain(node.value)
    if isinstance(node, ast.Attribute):
        plain = isinstance(node.value, ast.Name) and node.value.id not in ("np", "xp", "math", "jnp", "torch")
        return plain and node.attr not in ("T", "shape", "dtype", "size")
    return isinstance(node, ast.Name)
