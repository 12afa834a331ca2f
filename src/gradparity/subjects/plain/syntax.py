"""Questions to a user's expressions, as syntax trees."""

import ast
import copy
from collections.abc import Iterator

MIXING = frozenset({"dot", "matmul", "einsum", "tensordot", "sum", "mean", "var", "std", "cumsum"})
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
