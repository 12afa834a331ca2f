"""What the author of a rule may have meant: one small edit of its source at a time, the likeliest first.

Each is a mistake that people make, undone: a sign, a transpose, an axis, a name for another, ``=`` for ``+=``, a factor
or a share that was forgotten. What is edited is a syntax tree, and whoever asks for the next edit finds it as it was.
"""

import ast
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, permutations
from typing import Any, NamedTuple

FACTORS = ("{}", "(1 - {})", "(1 - {} ** 2)", "{} * (1 - {})", "({} > 0)", "1 / {}", "1 / len({})")
SHARES = (
    "{e} - ({e}).mean(axis={axis}, keepdims=True)",
    "{e} - ({e} * {n}).sum(axis={axis}, keepdims=True)",
    "{e} - {n} * ({e}).sum(axis={axis}, keepdims=True)",
    "{e} - {n} * ({e} * {n}).mean(axis={axis}, keepdims=True)",
)
"""What the backward pass of a normalisation or of a softmax takes away."""
AXES = (0, 1, -1)
SUMS = ("sum", "mean", "max", "min", "var", "std")
"""What takes an axis."""
SWAPPED: dict[type, tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
}
CALLED = {"sum": "mean", "mean": "sum", "tril": "triu", "triu": "tril", "sin": "cos", "cos": "sin"}
TURNED: dict[type, tuple[type, ...]] = {
    ast.Gt: (ast.LtE,),
    ast.GtE: (ast.Lt, ast.LtE),
    ast.Lt: (ast.GtE,),
    ast.LtE: (ast.Gt, ast.GtE),
}


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
        yield from _replaced(slot, _likely(slot.node))


def other_names(function: ast.FunctionDef, names: Sequence[str]) -> Iterator[Edit]:
    """Put one name for another, of the arrays and numbers that the function knows."""
    for slot in _slots_of(function):
        yield from _replaced(slot, _others(slot.node, names))


def additions(function: ast.FunctionDef, names: Sequence[str]) -> Iterator[Edit]:
    """Add a factor or a share, made of the arrays and numbers that the function knows."""
    for slot in filter(_is_a_value, _slots_of(function)):
        yield from _replaced(slot, _forgotten(slot.node, names))


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
            if isinstance(root, ast.Call) and isinstance(node, ast.Constant) and _called(root) in SUMS:
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


def _likely(node: ast.expr) -> Iterator[tuple[str, str]]:
    """One thing for another of its kind."""
    text = ast.unparse(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp):
        inner = node.right
        if text == f"1 - {ast.unparse(inner.left)} ** 2":
            s = ast.unparse(inner.left)
            yield f"{s} * (1 - {s})", f"has tanh's factor {text} where sigmoid's {s} * (1 - {s}) belongs"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield ast.unparse(node.operand), "has the wrong sign"
    if isinstance(node, ast.BinOp):
        yield from _of_operator(node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        yield from _transposed(text)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield from _of_number(node.value)
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in TURNED.get(type(node.ops[0]), ()):
            turned = ast.Compare(node.left, [other()], node.comparators)
            yield ast.unparse(turned), "has a mask the wrong way round"
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Tuple | ast.Slice):
        for step in ("- 1", "+ 1"):
            what = f"{ast.unparse(node.value)}[{ast.unparse(node.slice)} {step}]"
            yield what, "is off by one step"
    if isinstance(node, ast.BinOp | ast.Call):
        yield f"-({text})", "has the wrong sign"


def _others(node: ast.expr, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """One name for another."""
    text = ast.unparse(node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and text in names:
        for other in names:
            if other != text:
                yield other, f"uses {text} where {other} belongs"


def _forgotten(node: ast.expr, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Something that stood beside an expression."""
    text = ast.unparse(node)
    e = text if isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute) else f"({text})"
    for form in FACTORS:
        for name in names:
            factor = form.replace("{}", name)
            if factor != text:
                yield f"{e} * {factor}", f"lacks the factor {factor}"
    for name in names:
        yield f"{e} + {name}", f"lacks {name}"
        yield f"{e} - {name}", f"lacks - {name}"
    for form in SHARES:
        for axis in AXES:
            for name in names if "{n}" in form else ("",):
                new = form.format(e=e, n=name, axis=axis)
                through = "mean" if not name else f"share through {name}"
                yield new, f"lacks its {through}, summed over axis {axis}"


LEFT_OUT = {
    ast.Add: "has {right} too much",
    ast.Sub: "has {right} too much",
    ast.Mult: "has the factor {right} once too often",
    ast.Div: "is divided by {right} once too often",
    ast.Pow: "has the factor {left} once too often",
}


def _of_operator(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    left, right = ast.unparse(node.left), ast.unparse(node.right)
    for other in SWAPPED.get(type(node.op), ()):
        what = "sign in front of" if {type(node.op), other} == {ast.Add, ast.Sub} else "operator at"
        yield ast.unparse(ast.BinOp(node.left, other(), node.right)), f"has the wrong {what} {right}"
    if type(node.op) in LEFT_OUT:
        why = LEFT_OUT[type(node.op)]
        yield left, why.format(left=left, right=right)
        if isinstance(node.op, ast.Add | ast.Mult):
            yield right, why.format(left=right, right=left)
    if isinstance(node.op, ast.Div | ast.Mult) and not isinstance(node.right, ast.BinOp):
        for new in (f"{right} ** 2", f"{right} ** 0.5", f"({right} - 1)", f"({right} + 1)"):
            op = "/" if isinstance(node.op, ast.Div) else "*"
            yield f"{left} {op} {new}", f"has the factor {right} where {new} belongs"


def _transposed(text: str) -> Iterator[tuple[str, str]]:
    if text.endswith(".T"):
        yield text.removesuffix(".T"), f"has a .T too much: {text} is transposed"
    else:
        yield f"{text}.T", f"lacks a .T: {text} is not transposed"
        yield f"{text}.swapaxes(-1, -2)", f"lacks a .swapaxes(-1, -2): {text} is not transposed"


def _of_number(value: int | float) -> Iterator[tuple[str, str]]:
    for other in (-value, value + 1, value - 1, 2 * value, value / 2, 3 * value, value / 10, 10 * value):
        if other != value:
            number = int(other) if isinstance(value, int) and float(other).is_integer() else other
            yield repr(number), f"has the number {value} where {number} belongs"


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _of_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    text = ast.unparse(node)
    called = _called(node)
    arguments = [ast.unparse(argument) for argument in node.args]
    if called in CALLED:
        new = text.replace(f"{called}(", f"{CALLED[called]}(", 1)
        mask = "a mask the wrong way round: " if called in ("tril", "triu") else ""
        yield new, f"has {mask}a {called} where a {CALLED[called]} belongs"
    if called == "append" and isinstance(node.func, ast.Attribute):
        yield f"{ast.unparse(node.func.value)}.insert(0, {arguments[0]})", "is in reverse order"
    if called in ("transpose", "permute", "permute_dims") and 2 < len(node.args) < 5:
        for order in permutations(arguments):
            yield f"{ast.unparse(node.func)}({', '.join(order)})", "has its axes in another order"
    if called in SUMS:
        yield from _over_other_axes(node)
    if len(arguments) == 1 and not node.keywords:
        yield arguments[0], f"has {called}(…) too much"
    if called in ("outer", "dot", "matmul") and len(arguments) == 2:
        yield f"{ast.unparse(node.func)}({arguments[1]}, {arguments[0]})", "has its two arguments swapped"


def _over_other_axes(node: ast.Call) -> Iterator[tuple[str, str]]:
    by_name = next((keyword for keyword in node.keywords if keyword.arg in ("axis", "dim")), None)
    last = node.args[-1] if node.args else None
    axis = by_name.value if by_name else last if isinstance(last, ast.Constant | ast.Tuple) else None
    if axis is None:
        return
    was = ast.unparse(axis)
    for other in (0, 1, 2, -1, None, (0, 1), (0, 2), (1, 2), (0, 1, 2), (0, 2, 3), (0, 1, 3)):
        if repr(other) != was:
            new = ast.parse(repr(other), mode="eval").body
            args = [new if argument is axis else argument for argument in node.args]
            keywords = [ast.keyword(k.arg, new) if k is by_name else k for k in node.keywords]
            yield ast.unparse(ast.Call(node.func, args, keywords)), f"goes over axis {was} where axis {other} belongs"


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
