"""What the author of a rule may have meant: one small edit of its source at a time, the likeliest first.

Each is a mistake that people make, undone: a sign, a transpose, an axis, a name for another, ``=`` for ``+=``, a factor
or a share that was forgotten. What is edited is a syntax tree, and whoever asks for the next edit finds it as it was.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np

from gradparity.parity.diagnosis.rerun import Editable, InScope
from gradparity.parity.diagnosis.variants import (
    FACTORS,
    SUMS,
    Shape,
    called,
    forgotten_factors,
    forgotten_names,
    forgotten_products,
    forgotten_shares,
    likely,
    others,
)


class Edit(NamedTuple):
    """One replacement, in force until the next one is asked for."""

    line: int
    was: str
    instead: str
    why: str


class Slot(NamedTuple):
    """A place of a tree that holds an expression."""

    node: ast.expr
    put: Callable[[ast.expr], None]


class Clause(NamedTuple):
    """What one statement computes: one array, mostly."""

    statement: ast.stmt
    whole: Slot | None
    """Its value; None for a condition, and for what a loop goes over."""
    target: str
    """What the value is called from then on; nothing where it has no name."""
    slots: Sequence[Slot]
    """The value, and every expression in it."""
    body: list[ast.stmt]
    """The statements that it is one of; empty for all but the first clause of a statement."""


def clauses_of(function: ast.FunctionDef) -> list[Clause]:
    """Return what a function computes, in the order of its lines."""
    return [
        clause._replace(body=body if i == 0 else [])
        for body in _bodies(function)
        for statement in body
        for i, clause in enumerate(_clauses(statement))
    ]


def replacements(clause: Clause, _: Editable, __: InScope) -> Iterator[Edit]:
    """Put one thing for another of its kind, and whole statements otherwise."""
    if clause.body:
        yield from _statements(clause.statement, clause.body)
    for slot in clause.slots:
        yield from _replaced(slot, likely(slot.node))


def other_names(clause: Clause, _: Editable, known: InScope) -> Iterator[Edit]:
    """Put one name for another, of the arrays and numbers that the function knows."""
    for slot in clause.slots:
        yield from _replaced(slot, others(slot.node, known))


def other_names_throughout(clause: Clause, _: Editable, known: InScope) -> Iterator[Edit]:
    """Put one name for another wherever it stands in a part, as in both comparisons of a mask."""
    for slot in clause.slots:
        count = Counter(node.id for node in ast.walk(slot.node) if isinstance(node, ast.Name))
        for name in (name for name, times in count.items() if times > 1):
            text, there = ast.unparse(slot.node), re.compile(rf"(?<![.\w]){name}\b(?!=[^=])")
            variants = others(ast.Name(name, ast.Load()), known)
            yield from _replaced(slot, ((there.sub(other, text), why) for other, why in variants))


Beside: TypeAlias = Callable[[ast.expr, InScope, Shape], Iterator[tuple[str, str]]]


def beside_a_value(what: Beside, clause: Clause, editable: Editable, known: InScope) -> Iterator[Edit]:
    """Add something to a whole value, made of the arrays and numbers that the function knows."""
    if clause.whole is not None and _is_a_value(clause.whole):
        shape = np.shape(known[clause.target]) if clause.target in known else editable.shape(clause.whole.node)
        yield from _replaced(clause.whole, what(clause.whole.node, known, shape or ()))


def beside_a_part(what: Beside, clause: Clause, editable: Editable, known: InScope) -> Iterator[Edit]:
    """Add something to a part of a value."""
    for slot in filter(_is_a_value, clause.slots if not isinstance(clause.statement, ast.If | ast.For) else ()):
        if clause.whole is None or slot.node is not clause.whole.node:
            yield from _replaced(slot, what(slot.node, known, editable.shape(slot.node) or ()))


Kind: TypeAlias = Callable[[Clause, Editable, InScope], Iterator[Edit]]
OF_FACTORS: tuple[Beside, ...] = tuple(partial(forgotten_factors, form) for form in FACTORS)
# Where rows sum to 1, say, a share fits that is only a name forgotten in a part: the name is tried first.
ADDED: tuple[Kind, ...] = (
    *(partial(beside_a_value, factors) for factors in OF_FACTORS),
    partial(beside_a_value, forgotten_names),
    partial(beside_a_part, forgotten_names),
    partial(beside_a_value, forgotten_shares),
    partial(beside_a_value, forgotten_products),
)
RARE_IN_PARTS: tuple[Beside, ...] = (*OF_FACTORS, forgotten_shares, forgotten_products)
KINDS: tuple[tuple[float, Kind], ...] = (
    (0.0, replacements),
    (1.0, other_names),
    (1.5, other_names_throughout),
    *((2 + 0.1 * i, kind) for i, kind in enumerate(ADDED)),
    *((3 + 0.1 * i, partial(beside_a_part, what)) for i, what in enumerate(RARE_IN_PARTS)),
)
"""How unlikely each kind of edit is, and what yields those of one clause."""


def scaled(clause: Clause) -> Iterator[Edit]:
    """Change what a clause computes a little: to see which gradients are made of it."""
    if clause.whole:
        yield from _replaced(clause.whole, iter([(f"({ast.unparse(clause.whole.node)}) * 1.25 + 0.125", "")]))


def _replaced(slot: Slot, variants: Iterator[tuple[str, str]]) -> Iterator[Edit]:
    was = ast.unparse(slot.node)
    for instead, why in variants:
        try:
            new = ast.parse(f"({instead})", mode="eval").body
        except SyntaxError:
            continue
        slot.put(ast.copy_location(new, slot.node))
        yield Edit(slot.node.lineno, was, instead, why)
        slot.put(slot.node)


def _bodies(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(function):
        for field in ("body", "orelse"):
            held = getattr(node, field, None)
            if isinstance(held, list):
                yield held


def _clauses(statement: ast.stmt) -> Iterator[Clause]:
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return) and statement.value:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        places = [each for target in targets if isinstance(target, ast.Subscript) for each in _slots(target)]
        for slot, target in _values(Slot(statement.value, _putter(statement, "value", None)), targets[0]):
            yield Clause(statement, slot, target, [slot, *_slots(slot.node), *places], [])
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and statement.value.args:
        args = statement.value.args
        for slot, target in _values(Slot(args[-1], _putter(statement.value, "args", len(args) - 1)), None):
            yield Clause(statement, slot, target, [slot, *_slots(slot.node)], [])
        yield Clause(statement, None, "", list(_slots(statement)), [])
    elif not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Expr):
        headers = [field for field in ("test", "iter") if hasattr(statement, field)]
        slots = [Slot(getattr(statement, field), _putter(statement, field, None)) for field in headers]
        inner = [each for slot in slots for each in (slot, *_slots(slot.node))]
        yield Clause(statement, None, "", [] if isinstance(statement, ast.While) else inner, [])


def _values(slot: Slot, target: ast.expr | None) -> Iterator[tuple[Slot, str]]:
    """Yield what a value is made of, where that is a tuple, list or dict of several."""
    node = slot.node
    if isinstance(node, ast.Tuple | ast.List) and node.elts:
        names = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        for i, each in enumerate(node.elts):
            own = names[i] if i < len(names) else each if target is None else None
            yield from _values(Slot(each, _putter(node, "elts", i)), own)
    elif isinstance(node, ast.Dict) and node.values:
        for i, each in enumerate(node.values):
            yield from _values(Slot(each, _putter(node, "values", i)), None)
    else:
        yield slot, ast.unparse(target) if target is not None else ""


def _slots(root: ast.AST) -> Iterator[Slot]:
    for field, value in ast.iter_fields(root):
        for i, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST):
                continue
            if isinstance(root, ast.keyword) and root.arg in ("axis", "dim", "keepdims", "keepdim", "dtype"):
                continue
            if isinstance(root, ast.Call) and isinstance(node, ast.Constant) and called(root) in SUMS:
                continue
            if isinstance(root, ast.Slice) and isinstance(node, ast.Constant):
                continue
            if isinstance(root, ast.IfExp) and field == "test":
                continue
            called_there = isinstance(root, ast.Call) and field == "func"
            if (
                isinstance(node, ast.expr)
                and not called_there
                and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
            ):
                yield Slot(node, _putter(root, field, i if isinstance(value, list) else None))
            yield from _slots(node)


def _putter(root: ast.AST, field: str, i: int | None) -> Callable[[ast.expr], None]:
    def put(node: ast.expr) -> None:
        if i is None:
            setattr(root, field, node)
        else:
            getattr(root, field)[i] = node

    return put


def _is_a_value(slot: Slot) -> bool:
    """Whether something may be missing beside it: not beside a name in front of a dot, nor beside a number."""
    return isinstance(slot.node, ast.BinOp | ast.Name | ast.Call | ast.Subscript | ast.Attribute | ast.UnaryOp)


def _statements(statement: ast.stmt, body: list[ast.stmt]) -> Iterator[Edit]:
    """Whole statements: one that overwrites where it should add, one too many, two in the wrong order."""
    i = body.index(statement)
    for new, why in chain(_added(statement), _left_out(statement), _kept(statement)):
        body[i] = ast.copy_location(new, statement)
        instead = "nothing" if isinstance(new, ast.Pass) else ast.unparse(new)
        yield Edit(statement.lineno, " ".join(ast.unparse(statement).split()), instead, why)
        body[i] = statement
    if i and all(isinstance(each, ast.Assign | ast.AugAssign) for each in body[i - 1 : i + 1]):
        before = body[i - 1]
        body[i - 1 : i + 1] = [statement, before]
        first, then = ast.unparse(statement), ast.unparse(before)
        yield Edit(
            statement.lineno, f"{then}; {first}", f"{first}; {then}", "is computed after what it needs has changed"
        )
        body[i - 1 : i + 1] = [before, statement]


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
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add | ast.Sub):
        minus = isinstance(statement.op, ast.Add)
        turned = ast.AugAssign(statement.target, ast.Sub() if minus else ast.Add(), statement.value)
        yield turned, f"has the wrong sign: {'-=' if minus else '+='} belongs there"


def _left_out(statement: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    if isinstance(statement, ast.Expr | ast.AugAssign | ast.For | ast.If):
        yield ast.Pass(), "does something too much"
    if isinstance(statement, ast.If):
        yield ast.If(ast.Constant(True), statement.body, []), "asks for a condition too much"


def _kept(statement: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    """One of several results is thrown away, ``a, _ = …``, though there is a name that goes on without it."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple):
        return
    written = {node.id for node in ast.walk(statement.targets[0]) if isinstance(node, ast.Name)}
    read = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)}
    for i, element in enumerate(statement.targets[0].elts):
        if isinstance(element, ast.Name) and element.id.startswith("_"):
            for name in sorted(read - written):
                elements = list(statement.targets[0].elts)
                elements[i] = ast.Name(name, ast.Store())
                target = ast.Tuple(elements, ast.Store())
                yield ast.Assign([target], statement.value), f"throws away the {name} that the next step goes on with"
