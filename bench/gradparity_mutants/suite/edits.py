"""The known mistakes as edits of a rule's source: each makes one line of it what someone has written by mistake."""

import ast
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from gradparity.errors import UsageError, unknown

Function: TypeAlias = ast.FunctionDef
SCALED = "_gradparity_scaled"
"""A built-in function in the process that runs the suite: scales real numbers, and leaves anything else as it is."""
RECORDED = "_gradparity_recorded"
"""A built-in decorator there: runs a mutated rule, and notes how far it is from the right one."""
WRONG = "_gradparity_wrong"
BACKWARDS = ("backward", "vjp", "bwd")
"""What the rule of a class may be called; the first that it has."""
FACTORS = {"left out": 0.0, "negated": -1.0, "twice as large": 2.0, "1 % too large": 1.01, "0.1 % too large": 1.001}
ADDED: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "−"}


class Mistake(NamedTuple):
    """One mistake."""

    line: int
    what: str
    """What is wrong, in words."""
    function: Function
    """The rule with the mistake."""


Replaced: TypeAlias = tuple[str, ast.expr]


class RuleSource(NamedTuple):
    """Where a rule is written."""

    file: Path
    name: str
    """As Python qualifies it: ``Rule.backward``."""
    tree: ast.Module
    function: Function

    def source(self, line: int) -> str:
        """Return a line of the file."""
        return self.file.read_text(encoding="utf-8").splitlines()[line - 1].strip()

    def mutated(self, edit: Mistake | None) -> ast.Module:
        """Return the file's tree with a mistake, or with none, in a rule that notes how far it is off."""
        return ast.fix_missing_locations(_Swap(self.function, edit.function if edit else self.function).tree(self.tree))


def find(argument: str) -> RuleSource:
    """Find a rule from ``my_kernel.py:Rule``: a class with a ``backward``, one method of a class, or a function.

    Raises UsageError where there is none.
    """
    before, colon, name = argument.rpartition(".py:")
    if not colon or not name:
        raise UsageError(f"a rule is a file and a name, got '{argument}': write my_kernel.py:Rule")
    path = Path(before + ".py")
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except OSError:
        raise UsageError(f"there is no file '{path}': check the path, from the folder {Path.cwd()}") from None
    except SyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: Python cannot read the file, {error.msg}") from None
    functions = dict(_functions(tree, ""))
    wanted = next((f"{name}.{method}" for method in BACKWARDS if f"{name}.{method}" in functions), name)
    if wanted not in functions:
        raise unknown(f"rule in {path}", name, functions)
    return RuleSource(path, wanted, tree, functions[wanted])


def edits(rule: RuleSource) -> Iterator[Mistake]:
    """Yield every mistake that can be made in a rule, line by line."""
    for i, node in enumerate(ast.walk(rule.function)):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return) and node.value is not None:
            for what, change in _changes(node.value):
                function = copy.deepcopy(rule.function)
                place = list(ast.walk(function))[i]
                place.value = change(place.value)  # type: ignore[attr-defined]
                yield Mistake(node.lineno, what, function)


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")


def _changes(value: ast.expr) -> Iterator[tuple[str, Callable[[ast.expr], ast.expr]]]:
    """Yield what may be wrong with an expression; each change is made to a copy of it."""
    for k, part in enumerate(value.elts if isinstance(value, ast.Tuple) else [value]):
        if not _computes(part):
            continue
        for what, factor in FACTORS.items():
            yield what, lambda whole, k=k, factor=factor: _at(whole, k, lambda e: _scaled(e, factor))  # type: ignore[misc]
        for i, node in enumerate(ast.walk(part)):
            for what, replacement in _parts(node):
                yield (
                    what,
                    lambda whole, k=k, i=i, r=replacement: _at(whole, k, lambda e: _replaced(e, i, r)),  # type: ignore[misc]
                )


def _computes(value: ast.expr) -> bool:
    """Whether an expression computes anything: a name, a number or a shape that is taken out does not."""
    return any(isinstance(node, ast.BinOp | ast.UnaryOp | ast.Call | ast.Compare) for node in ast.walk(value)) and not (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("len", "range", "int")
    )


def _parts(node: ast.AST) -> Iterator[Replaced]:
    """Yield what a part of an expression might have been by mistake."""
    if isinstance(node, ast.BinOp):
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        if type(node.op) in ADDED:
            yield f"without {ADDED[type(node.op)]} {right}", node.left
            yield f"without {left}", node.right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), node.right)
        elif isinstance(node.op, ast.Mult):
            yield f"without the factor {right}", node.left
            yield f"without the factor {left}", node.right
        elif isinstance(node.op, ast.Div):
            yield f"not divided by {right}", node.left
        elif isinstance(node.op, ast.Pow):
            yield f"without the power {right}", node.left
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield f"{ast.unparse(node.value)} not transposed", node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "mean"):
        other = "mean" if node.func.attr == "sum" else "sum"
        yield (
            f"{other} for {node.func.attr}",
            ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords),
        )
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Gt | ast.Lt):
        turned = ast.Lt() if isinstance(node.ops[0], ast.Gt) else ast.Gt()
        yield "mask turned round", ast.Compare(node.left, [turned], node.comparators)


def _at(whole: ast.expr, k: int, change: Callable[[ast.expr], ast.expr]) -> ast.expr:
    if not isinstance(whole, ast.Tuple):
        return change(whole)
    whole.elts[k] = change(whole.elts[k])
    return whole


def _scaled(value: ast.expr, factor: float) -> ast.expr:
    return ast.Call(ast.Name(SCALED, ast.Load()), [value, ast.Constant(factor)], [])


def _replaced(value: ast.expr, i: int, replacement: ast.expr) -> ast.expr:
    """Replace the i-th node of an expression."""
    target = list(ast.walk(value))[i]

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(replacement) if node is target else super().visit(node)

    return cast(ast.expr, Replace().visit(value))


class _Swap(ast.NodeTransformer):
    """Puts the wrong rule before the right one, which is decorated with it."""

    def __init__(self, right: Function, wrong: Function) -> None:
        self._right = right
        self._wrong = wrong

    def tree(self, module: ast.Module) -> ast.Module:
        """Return a changed copy of the file's tree."""
        found: ast.Module = self.visit(module)
        return found

    def generic_visit(self, node: ast.AST) -> ast.AST:
        fields = {}
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                made = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
                fields[name] = [one for each in made for one in (each if isinstance(each, list) else [each])]
            else:
                fields[name] = self.visit(value) if isinstance(value, ast.AST) else value
        return ast.copy_location(type(node)(**fields), node)

    def visit_FunctionDef(self, node: Function) -> ast.AST | list[ast.stmt]:
        if node is not self._right:
            return self.generic_visit(node)
        wrong = copy.copy(self._wrong)
        wrong.decorator_list = []
        kept = ast.Assign([ast.Name(WRONG, ast.Store())], ast.Name(node.name, ast.Load()))
        right = copy.copy(node)
        recorded = ast.Call(ast.Name(RECORDED, ast.Load()), [ast.Name(WRONG, ast.Load())], [])
        right.decorator_list = [*node.decorator_list, recorded]
        return [wrong, kept, right]
