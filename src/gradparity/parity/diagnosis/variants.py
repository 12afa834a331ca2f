"""What may stand where an expression stands: each variant as text, and what the author then had written instead."""

import ast
from collections.abc import Iterator, Sequence
from itertools import permutations

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


def likely(node: ast.expr) -> Iterator[tuple[str, str]]:
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


def others(node: ast.expr, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """One name for another."""
    text = ast.unparse(node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and text in names:
        for other in names:
            if other != text:
                yield other, f"uses {text} where {other} belongs"


def forgotten(node: ast.expr, names: Sequence[str]) -> Iterator[tuple[str, str]]:
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


def called(node: ast.Call) -> str:
    """Return the name of the function or method that is called; nothing for what has no name."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _of_call(node: ast.Call) -> Iterator[tuple[str, str]]:
    text = ast.unparse(node)
    name = called(node)
    arguments = [ast.unparse(argument) for argument in node.args]
    if name in CALLED:
        new = text.replace(f"{name}(", f"{CALLED[name]}(", 1)
        mask = "a mask the wrong way round: " if name in ("tril", "triu") else ""
        yield new, f"has {mask}a {name} where a {CALLED[name]} belongs"
    if name == "append" and isinstance(node.func, ast.Attribute):
        yield f"{ast.unparse(node.func.value)}.insert(0, {arguments[0]})", "is in reverse order"
    if name in ("transpose", "permute", "permute_dims") and 2 < len(node.args) < 5:
        for order in permutations(arguments):
            yield f"{ast.unparse(node.func)}({', '.join(order)})", "has its axes in another order"
    if name in SUMS:
        yield from _over_other_axes(node)
    if len(arguments) == 1 and not node.keywords:
        yield arguments[0], f"has {name}(…) too much"
    if name in ("outer", "dot", "matmul") and len(arguments) == 2:
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
