"""A user's source with a recorder at every assignment: what runs is a rewritten tree, the file stays as it is.

``z = X @ W`` becomes ``z = X @ W; z = __gradparity__.line(7, z)``, where 7 is the number of the *site*, the place in
the source. Line numbers are kept, so tracebacks point into the user's file. What is recorded, and what is returned in
place of it, ``recorder.Hooks`` decides; without an observer every hook returns what it is given.
"""

import ast
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Literal, NamedTuple, TypeAlias

from gradparity.subjects.plain.hooked import answered, hook, hook_call, hook_statement, placed
from gradparity.subjects.plain.syntax import as_read, changed_by, is_mask, mixes_entries, names_in, repeatable, updates

How: TypeAlias = Literal["=", "+=", "*=", "mask", "part", "return", "arg"]
"""How a site writes: afresh; adding to or scaling what is there; setting some entries to zero; a sub-expression;
what a function returns; what a function or a loop is given."""


class Site(NamedTuple):
    """One place of the source that writes a name."""

    file: str
    line: int
    function: str
    """Qualified; empty in the module itself."""
    target: str
    """As it is written: ``dW``, ``self.dW``, ``grads``."""
    at: str
    """What stands in the brackets after it, if anything."""
    how: How
    itself: bool
    """Whether what is written is computed from what the name held before."""
    reads: tuple[str, ...]
    entrywise: bool = True
    """Whether nothing in the expression multiplies matrices or sums."""


@dataclass(frozen=True, eq=False)
class LoopBody:
    """The body of a loop, which can be run by itself from the names that it found."""

    file: str
    function: str
    line: int
    once: ast.For
    """Its statements as the program has them, to be passed through once."""

    def code(self) -> CodeType:
        """Compile it by itself. Its nodes are the program's own, in which a return and a yield stay what they are."""
        alone = _Stops().visit(ast.Module([copy.deepcopy(self.once)], []))
        return compile(ast.fix_missing_locations(alone), self.file, "exec")


@dataclass(frozen=True, eq=False)
class Source:
    """Everything that has been rewritten: the files of one program."""

    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    """File and qualified name of a function -> the site at which it is entered."""

    sites: list[Site] = field(default_factory=list)
    bodies: list[LoopBody] = field(default_factory=list)
    trees: dict[str, ast.Module] = field(default_factory=dict)
    """File -> its tree as the user wrote it."""
    updates: dict[tuple[str, str], str] = field(default_factory=dict)
    """File and name -> what a multiple of that name is subtracted from."""

    def rewritten(self, text: str, file: str, nodes: Sequence[ast.stmt] | None = None) -> ast.Module:
        """Return the tree of a source, or of some of its statements, with the hooks in it. Raises SyntaxError."""
        tree = ast.parse(text, file)
        self.trees[file] = ast.parse(text, file)
        statements = (node for node in ast.walk(self.trees[file]) if isinstance(node, ast.stmt))
        self.updates.update({(file, name): of for each in statements for name, of in updates(each)})
        if nodes is not None:
            tree.body = list(nodes)
        made = answered(_Rewriter(self, file).visit(tree), file)
        return ast.fix_missing_locations(made)  # type: ignore[no-any-return]


class _Rewriter(ast.NodeTransformer):
    def __init__(self, source: Source, file: str) -> None:
        self._source = source
        self._file = file
        self._within: list[str] = []
        self._in_class = False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._within.append(node.name)
        outer, self._in_class = self._in_class, False
        inputs = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        entry = self._site(node, "", "", "arg")
        self._source.entries[self._file, ".".join(self._within)] = entry
        body = self._statements(node.body)
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        head: list[ast.stmt] = [hook_statement("entered", entry)]
        for name in inputs:
            argument = ast.Name(name, ast.Load())
            written = hook_call("line", self._site(node, name, "", "arg"), argument)
            head.append(ast.Assign([ast.Name(name, ast.Store())], written))
        body[start:start] = [placed(node.body[0], statement) for statement in head]
        if not isinstance(node.body[-1], ast.Return):
            end = hook_statement("leave", self._site(node.body[-1], "return", "", "return"), ast.Constant(None))
            body.append(placed(node.body[-1], end))
        node.body = body
        self._in_class = outer
        self._within.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._within.append(node.name)
        outer, self._in_class = self._in_class, True
        node.body = self._statements(node.body)
        self._in_class = outer
        self._within.pop()
        return node

    def visit_Return(self, node: ast.Return) -> ast.Return:
        site = self._site(node, "return", "", "return", (node.value,) if node.value else ())
        value = self._with_parts(node.value) if node.value else ast.Constant(None)
        node.value = placed(node, hook_call("leave", site, value))
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        recorded = [r for target in node.targets for r in self._recorded(target, "=", node.value, node)]
        node.value = self._with_parts(node.value)
        return [node, *recorded]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | list[ast.stmt]:
        if node.value is None:
            return node
        return [node, *self._recorded(node.target, "=", node.value, node)]

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:
        how: How = "+=" if isinstance(node.op, ast.Add | ast.Sub) else "*="
        return [node, *self._recorded(node.target, how, node.value, node)]

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        """Record what a list is given, ``hs.append(h)``, ``deltas.insert(0, delta)``, and what is changed in place."""
        call = node.value
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and not self._in_class):
            return node
        changed = changed_by(call)
        if changed is not None:
            return [node, *self._changed(*changed, call.args, node)]
        at = {"append": (-1, 1), "insert": (0, 2)}.get(call.func.attr)
        if at is None or len(call.args) != at[1] or not repeatable(call.func.value):
            return node
        place: ast.expr = ast.Constant(at[0]) if at[1] == 1 else call.args[0]
        target = ast.Subscript(call.func.value, place, ast.Load())
        return [node, *self._recorded(target, "=", call.args[-1], node)]

    def _changed(self, target: ast.expr, how: How, values: Sequence[ast.expr], node: ast.stmt) -> list[ast.stmt]:
        if not isinstance(target, ast.Name):
            return self._recorded(target, how, values[-1], node)
        # It is not assigned, which would make a local variable of a global one.
        site = self._site(node, target.id, "...", how, values)
        return [placed(node, hook_statement("item", site, as_read(target), ast.Constant(...)))]

    def visit_For(self, node: ast.For) -> ast.For:
        targets = self._recorded(node.target, "arg", node.iter, node)
        self._rewrite(node, targets)
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        self._rewrite(node, [])
        return node

    def _rewrite(self, node: ast.For | ast.While, first: list[ast.stmt]) -> None:
        body = self._statements(node.body)
        number = len(self._source.bodies)
        once = ast.For(ast.Name("__once__", ast.Store()), ast.Tuple([ast.Constant(0)], ast.Load()), [*first, *body], [])
        self._source.bodies.append(LoopBody(self._file, ".".join(self._within), node.lineno, placed(node, once)))
        node.body = [placed(node.body[0], hook_statement("block", number)), *first, *body]
        node.orelse = self._statements(node.orelse)

    def _statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for statement in body:
            found = self.visit(statement)
            made += found if isinstance(found, list) else [found]
        return made

    def _recorded(self, target: ast.expr, how: How, value: ast.expr, node: ast.stmt) -> list[ast.stmt]:
        """Return the statements that record each name of a target after it has been written."""
        if self._in_class:
            return []
        if isinstance(target, ast.Tuple | ast.List):
            return [r for each in target.elts for r in self._recorded(each, how, value, node)]
        if isinstance(target, ast.Starred):
            return self._recorded(target.value, how, value, node)
        if not repeatable(target):
            return []
        if isinstance(target, ast.Subscript):
            root = ast.unparse(target.value)
            zero = isinstance(value, ast.Constant) and value.value == 0 and how == "=" and is_mask(target.slice)
            item: How = "mask" if zero else how
            site = self._site(node, root, ast.unparse(target.slice), item, (value,))
            index = ast.Subscript(hook("index"), as_read(target.slice), ast.Load())
            return [placed(node, hook_statement("item", site, as_read(target.value), index))]
        site = self._site(node, ast.unparse(target), "", how, (value,))
        again = ast.Assign([target], hook_call("line", site, as_read(target)))
        return [placed(node, again)]

    def _site(
        self,
        node: ast.stmt,
        target: str,
        index: str,
        how: How,
        values: Sequence[ast.expr] = (),
        reads: Sequence[str] = (),
    ) -> int:
        names = (*reads, *(name for value in values for name in names_in(value)))
        itself = how in ("+=", "*=", "mask") or target in names
        within = ".".join(self._within)
        entrywise = not any(map(mixes_entries, values))
        self._source.sites.append(Site(self._file, node.lineno, within, target, index, how, itself, names, entrywise))
        return len(self._source.sites) - 1

    def _with_parts(self, value: ast.expr) -> ast.expr:
        """Record what functions are applied to, where that has no name: X @ W + b in np.tanh(X @ W + b).

        So is what is scaled, q @ k.T in q @ k.T / sqrt(d), and what has a minus, 1 / (1 + np.exp(-(X @ W + b))).
        """
        for node in list(ast.walk(value)):
            if isinstance(node, ast.Call):
                node.args = [self._part(argument) for argument in node.args]
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
                node.left, node.right = self._part(node.left), self._part(node.right)
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
                node.operand = self._part(node.operand)
        return value

    def _part(self, value: ast.expr) -> ast.expr:
        if not isinstance(value, ast.BinOp) and not (isinstance(value, ast.Call) and mixes_entries(value)):
            return value
        self._source.sites.append(
            Site(
                self._file,
                value.lineno,
                ".".join(self._within),
                ast.unparse(value),
                "",
                "part",
                False,
                tuple(names_in(value)),
            )
        )
        return ast.copy_location(hook_call("part", len(self._source.sites) - 1, value), value)


class _Stops(ast.NodeTransformer):
    """A block is no function: where it would return, it ends, and what it would yield it only computes."""

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        return placed(node, hook_statement("stop"))

    def visit_Yield(self, node: ast.Yield) -> ast.expr:
        return node.value or ast.copy_location(ast.Constant(None), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        return node
