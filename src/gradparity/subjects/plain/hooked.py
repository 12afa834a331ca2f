"""What is put into a user's tree: calls of the hooks, beside the lines and in the place of some calls."""

import ast
from typing import TypeVar

from gradparity.parity.guards import LARGEST

HOOKS = "__gradparity__"
"""The one name that is added to a module."""
MAKING = frozenset(
    {"zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like", "array", "asarray"}
)
"""NumPy's functions that make arrays into which others may be written."""

Node = TypeVar("Node", bound=ast.AST)


class _Answered(ast.NodeTransformer):
    """``float(cost)`` would end a complex step, and ``np.zeros`` holds no numbers of JAX: a hook answers for them.

    So it does for a guard, the 1e-7 of ``log(p + 1e-7)``.
    """

    def __init__(self, file: str) -> None:
        self._file = file

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add):
            node.left, node.right = self._guard(node.left), self._guard(node.right)
        return node

    def _guard(self, value: ast.expr) -> ast.expr:
        if not (isinstance(value, ast.Constant) and isinstance(value.value, float) and 0 < value.value <= LARGEST):
            return value
        return ast.copy_location(hook_call("guard", ast.Constant(self._file), value.lineno, value), value)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        called = node.func
        if isinstance(called, ast.Name) and called.id == "float" and len(node.args) == 1 and not node.keywords:
            node.func = ast.copy_location(hook("real"), called)
        elif isinstance(called, ast.Attribute) and called.attr in MAKING:
            node.func = ast.copy_location(hook_call("making", called), called)
        return node


def answered(tree: Node, file: str) -> Node:
    """Return a tree in which hooks stand for what only NumPy's arrays bear, and for guards."""
    return _Answered(file).visit(tree)  # type: ignore[no-any-return]


def hook(name: str) -> ast.Attribute:
    """Return what names a hook."""
    return ast.Attribute(ast.Name(HOOKS, ast.Load()), name, ast.Load())


def hook_call(name: str, *arguments: "int | ast.expr") -> ast.Call:
    """Return the call of a hook; whole numbers stand for themselves."""
    values = [ast.Constant(argument) if isinstance(argument, int) else argument for argument in arguments]
    return ast.Call(hook(name), values, [])


def hook_statement(name: str, *arguments: "int | ast.expr") -> ast.Expr:
    """Return the same as a statement of its own."""
    return ast.Expr(hook_call(name, *arguments))


def placed(where: ast.stmt, node: Node) -> Node:
    """Put a new node on the line of an old one."""
    return ast.fix_missing_locations(ast.copy_location(node, where))
