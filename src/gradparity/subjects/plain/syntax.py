"""Questions to a user's expressions, as syntax trees."""

import ast
import copy
from collections.abc import Iterator
from typing import Literal

MIXING = frozenset({"dot", "matmul", "einsum", "tensordot", "sum", "mean", "var", "std", "cumsum"})
CHANGING = frozenset({"putmask", "place", "copyto", "put"})
"""NumPy's functions that write into their first argument."""
IMPURE = frozenset({"pop", "popleft", "popitem", "next", "append", "rand", "randn", "normal", "random", "read"})
"""Calls in an index that may not be made twice."""


def names_in(value: ast.expr) -> Iterator[str]:
    """Yield every name that an expression reads, with its attributes and indices too."""
    for node in ast.walk(value):
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            yield ast.unparse(node)


def mixes_entries(value: ast.expr) -> bool:
    """Whether entries of a result depend on several entries."""
    nodes = list(ast.walk(value))
    called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return bool(called & MIXING) or any(isinstance(node, ast.MatMult) for node in nodes)


def repeatable(target: ast.expr) -> bool:
    """Whether a target may be evaluated once more."""
    calls = [node.func for node in ast.walk(target) if isinstance(node, ast.Call)]
    called = [f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else "" for f in calls]
    return isinstance(target, ast.Name | ast.Attribute | ast.Subscript) and not IMPURE & set(called)


def changed_by(call: ast.Call) -> tuple[ast.expr, Literal["+=", "*="]] | None:
    """Return what a call of NumPy's changes in place, and how: np.add.at(dE, i, dx), np.multiply(d, m, out=d)."""
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr == "clip":  # which limits what is complete
        return None
    target = next((keyword.value for keyword in call.keywords if keyword.arg == "out"), None)
    if target is None and call.args and (function.attr in CHANGING or _is_at(function)):
        target = call.args[0]
    if target is None or not repeatable(target):
        return None
    adds = isinstance(function.value, ast.Attribute) and function.value.attr in ("add", "subtract")
    return target, "+=" if _is_at(function) and adds else "*="


def _is_at(function: ast.Attribute) -> bool:
    return function.attr == "at" and isinstance(function.value, ast.Attribute)


def is_mask(index: ast.expr) -> bool:
    """Whether an index may choose entries here and there."""
    return not isinstance(index, ast.Constant | ast.Slice)


def as_read(target: ast.expr) -> ast.expr:
    """Return the same expression as one that is read."""
    again = copy.deepcopy(target)
    if isinstance(again, ast.Name | ast.Attribute | ast.Subscript):
        again.ctx = ast.Load()
    return again


def updates(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield each name whose multiple is subtracted from a target, and the target: W -= rate * dW, W = W - rate * dW."""
    for target, value in _assigned(statement):
        text = ast.unparse(target)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub) and ast.unparse(value.left) == text:
            yield from ((name, text) for name in _scaled(value.right))


def _assigned(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(statement, ast.AugAssign):
        yield statement.target, ast.BinOp(as_read(statement.target), statement.op, statement.value)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                yield from zip(target.elts, statement.value.elts, strict=False)
            else:
                yield target, statement.value


def _scaled(value: ast.expr) -> Iterator[str]:
    """Yield the names in a product of several factors."""
    factors, todo = [], [value]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            todo += [node.left, node.right]
        else:
            factors.append(node)
    if len(factors) > 1:
        yield from (ast.unparse(f) for f in factors if isinstance(f, ast.Name | ast.Attribute | ast.Subscript))
