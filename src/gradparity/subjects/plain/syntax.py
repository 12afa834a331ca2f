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
