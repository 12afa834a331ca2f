"""Which part of a file is a step: the smallest one that computes a loss's gradients and what they are gradients of."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradparity.subjects.plain.names import in_common, is_gradient_like, is_loss, owners, steps_of
from gradparity.subjects.plain.syntax import repeatable

Scope = ast.Module | ast.FunctionDef | ast.For | ast.While


@dataclass(frozen=True, eq=False)
class Region:
    """A function, the body of a loop, or a whole file."""

    node: Scope
    name: str
    """A function's qualified name; of a loop, the one of the function around it."""
    functions: Mapping[str, ast.FunctionDef]
    """All functions of the file."""
    extra: Mapping[str, str]

    @property
    def is_function(self) -> bool:
        """Whether it is called, and not passed through."""
        return isinstance(self.node, ast.FunctionDef)

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """Its own statements, and those of the user's functions that they call."""
        found, seen, todo = list(_own(self.node)), {self.node}, _called(self.node)
        known = {name.rpartition(".")[2] for name in self.functions} | {n.partition(".")[0] for n in self.functions}
        while todo:
            called = todo.pop()
            # layer(x) may call what its class does.
            wanted = called if called in known else "__call__"
            for name, function in self.functions.items():
                if wanted in (name.rpartition(".")[2], name.removesuffix(".__init__")) and function not in seen:
                    seen.add(function)
                    found += _own(function)
                    todo |= _called(function)
        return found

    @cached_property
    def targets(self) -> list[str]:
        """What it writes, as it is written."""
        return [target for statement in self.statements for target in targets_of(statement)]

    @cached_property
    def gradients(self) -> set[str]:
        """The gradients that it writes of something that is there."""
        return {target for target in self.targets if any(_last(of) in self._names for of in owners(target, self.extra))}

    @cached_property
    def keyed(self) -> set[str]:
        """What it writes under a key, or as an attribute, under which something else is read: g['W'] beside p['W']."""
        read = {name for s in self.statements for node in _without_bodies(s) for name in _held(node)}
        made = [f"_[{key!r}]" for s in self.statements for node in _without_bodies(s) for key in _keys_of(node)]
        held = {target: steps_of(target) for target in [*self.targets, *made] if len(steps_of(target)) > 1}
        return {target for target, steps in held.items() if any(in_common(steps, other) for other in read - {steps})}

    @cached_property
    def forward(self) -> set[str]:
        """What these are gradients of, as far as lines use it that compute no gradient."""
        used = self._names_of(s for s in self.statements if not set(targets_of(s)) & self.gradients)
        return {_last(of) for target in self.gradients for of in owners(target, self.extra) if _last(of) in used}

    @property
    def has_loss(self) -> bool:
        """Whether it computes a loss, and does not only add to one that was there before."""
        fresh = (s for s in self.statements if not isinstance(s, ast.AugAssign) and not _is_setting(s))
        return any(is_loss(_last(target)) for statement in fresh for target in targets_of(statement))

    @property
    def returns(self) -> bool:
        """Whether it returns something, which may be a loss."""
        return self.is_function and any(isinstance(s, ast.Return) and s.value for s in _own(self.node))

    @cached_property
    def _names(self) -> set[str]:
        return self._names_of(self.statements)

    def _names_of(self, statements: "Sequence[ast.stmt] | Iterator[ast.stmt]") -> set[str]:
        found: set[str] = set()
        for statement in statements:
            for node in _without_bodies(statement):
                if isinstance(node, ast.Name):
                    found.add(node.id)
                elif isinstance(node, ast.Attribute):
                    found.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
                elif isinstance(node, ast.arg):
                    found.add(node.arg)
        return found | {name.removesuffix("s") for name in found if len(name) > 1}


def functions_of(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Return every function of a file by its qualified name."""
    found: dict[str, ast.FunctionDef] = {}

    def walk(node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = f"{within}{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else ""
            if isinstance(child, ast.FunctionDef):
                found[name] = child
            walk(child, f"{name}." if name else within)

    walk(tree, "")
    return found


def regions_of(tree: ast.Module, extra: Mapping[str, str]) -> list[Region]:
    """Return what could be a step, the likeliest first; only what has gradients."""
    functions = functions_of(tree)
    found = [Region(tree, "", functions, extra)]
    scopes: list[tuple[str, Scope]] = [("", tree), *functions.items()]
    for name, scope in scopes:
        if scope is not tree:
            found.append(Region(scope, name, functions, extra))
        found += [Region(s, name, functions, extra) for s in _own(scope) if isinstance(s, ast.For | ast.While)]
    fitting = [region for region in found if region.gradients] or [
        region for region in found if region.keyed or any(is_gradient_like(target) for target in region.targets)
    ]
    return sorted(fitting, key=lambda r: (-len(r.gradients) - len(r.forward), len(r.statements)))


def targets_of(statement: ast.stmt) -> Iterator[str]:
    """Yield what a statement writes, as it is written, parts of arrays by the array's name."""
    if isinstance(statement, ast.Assign):
        todo = list(statement.targets)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        todo = [statement.target]
    else:
        return
    while todo:
        target = todo.pop()
        if isinstance(target, ast.Tuple | ast.List):
            todo += target.elts
        elif isinstance(target, ast.Starred):
            todo.append(target.value)
        elif isinstance(target, ast.Subscript) and not _is_key(target.slice):
            yield ast.unparse(target.value)
        else:
            yield ast.unparse(target)


def _is_setting(statement: ast.stmt) -> bool:
    """Whether a number is written down, L = 0.001, from which on nothing is added."""
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Constant) and value.value != 0


def _held(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield how an attribute or what has a key is reached, where it is read."""
    if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load) and repeatable(node):
        yield steps_of(ast.unparse(node))


def _keys_of(node: ast.AST) -> Iterator[str]:
    """Yield the keys that a dictionary is made with: {"W": …}, dict(W=…)."""
    if isinstance(node, ast.Dict):
        yield from (k.value for k in node.keys if isinstance(k, ast.Constant) and isinstance(k.value, str))
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("dict", "update"):
        yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def _is_key(index: ast.expr) -> bool:
    return isinstance(index, ast.Constant) and isinstance(index.value, str)


def _last(name: str) -> str:
    return name.rpartition(".")[2].partition("[")[0]


def _own(scope: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements of a scope, those in its loops and branches too, without other functions' and classes'."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from _own(child)


def _without_bodies(statement: ast.stmt) -> Iterator[ast.AST]:
    yield statement
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield from ast.walk(child)


def _called(scope: ast.AST) -> set[str]:
    calls = [node.func for s in _own(scope) for node in _without_bodies(s) if isinstance(node, ast.Call)]
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, ast.Attribute | ast.Name)}
