"""What may stand where an expression stands: each variant as text, and what the author then had written instead."""

import ast
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import TypeAlias

import numpy as np

from gradparity.parity.diagnosis.rerun import InScope

Shape: TypeAlias = tuple[int, ...]

FACTORS = ("{}", "(1 - {})", "(1 - {} ** 2)", "{} * (1 - {})", "({} > 0)", "1 / {}", "1 / len({})")
SHARES = (
    "{e} - ({e}).mean(axis={axis}, keepdims=True)",
    "{e} - ({e} * {n}).sum(axis={axis}, keepdims=True)",
    "{e} - {n} * ({e}).sum(axis={axis}, keepdims=True)",
    "{e} - {n} * ({e} * {n}).mean(axis={axis}, keepdims=True)",
    "{e} - {n} * ({e} * {n}).sum(axis={axis}, keepdims=True)",
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
BIASED = ("unbiased=False", "ddof=1", "correction=0")
"""Of n and n - 1: what a library's var and std take."""


def likely(node: ast.expr) -> Iterator[tuple[str, str]]:
    """One thing for another of its kind."""
    text = ast.unparse(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and isinstance(node.right, ast.BinOp):
        s = ast.unparse(node.right.left)
        if text == f"1 - {s} ** 2":
            yield f"{s} * (1 - {s})", f"has tanh's factor {text} where sigmoid's {s} * (1 - {s}) belongs"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield ast.unparse(node.operand), "has the wrong sign"
    if isinstance(node, ast.BinOp):
        yield from _of_operator(node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        yield from _transposed(text)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        yield f"{text} ** 2", f"lacks the factor {text}: {text} ** 2 belongs there"
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield from _of_number(node.value)
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in TURNED.get(type(node.ops[0]), ()):
            turned = ast.Compare(node.left, [other()], node.comparators)
            yield ast.unparse(turned), "has a mask the wrong way round"
    if isinstance(node, ast.Subscript):
        yield from _of_entry(node)


def others(node: ast.expr, known: InScope) -> Iterator[tuple[str, str]]:
    """One name for another of the same shape; one more condition of a mask."""
    text = ast.unparse(node)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and text in known:
        for other, value in known.items():
            if other != text and np.shape(value) == np.shape(known[text]):
                yield other, f"uses {text} where {other} belongs"
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left = ast.unparse(node.left)
        for other in known:
            for operator in ("<", ">"):
                condition = f"{left} {operator} {other}"
                if other != left and condition != text:
                    yield f"({text}) | ({condition})", f"has a mask that lacks {condition}"
    before = _step_before(node)
    if before:
        for other in known:
            yield f"({text} if {before} > 0 else {other})", f"lacks the first step: where {before} is 0 it is {other}"


def _step_before(node: ast.expr) -> str:
    """Return t of ``h[t - 1]``."""
    found = [
        part.left.id
        for part in ast.walk(node.slice if isinstance(node, ast.Subscript) else ast.Tuple([]))
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and isinstance(part.left, ast.Name)
    ]
    return found[0] if found else ""


def forgotten_factors(form: str, node: ast.expr, known: InScope, shape: Shape | None) -> Iterator[tuple[str, str]]:
    """A factor of one form that stood beside an expression, which has this shape where that is known."""
    for name in _beside(known, shape):
        factor = form.replace("{}", name)
        if factor != ast.unparse(node):
            yield f"{_bracketed(node)} * {factor}", f"lacks the factor {factor}"


def forgotten_names(node: ast.expr, known: InScope, shape: Shape | None) -> Iterator[tuple[str, str]]:
    """A minus, or something that should be added."""
    e = _bracketed(node)
    yield f"-{e}", "has the wrong sign"
    for name in _beside(known, shape):
        if name != ast.unparse(node):
            yield f"{e} + {name}", f"lacks {name}"
            yield f"{e} - {name}", f"lacks - {name}"


def _beside(known: InScope, shape: Shape | None) -> list[str]:
    return [name for name, value in known.items() if not shape or _fits(np.shape(value), shape)]


def forgotten_shares(node: ast.expr, known: InScope, shape: Shape) -> Iterator[tuple[str, str]]:
    """What the backward pass of a normalisation or of a softmax takes away."""
    alike = [name for name, value in known.items() if np.shape(value) == shape]
    for form in SHARES:
        for axis in AXES:
            for name in alike if "{n}" in form else ("",):
                through = "mean" if not name else f"share through {name}"
                new = form.format(e=_bracketed(node), n=name, axis=axis)
                yield new, f"lacks its {through}, summed over axis {axis}"


def _bracketed(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute) else f"({text})"


def forgotten_products(node: ast.expr, known: InScope, shape: Shape) -> Iterator[tuple[str, str]]:
    """A label or a product of two that should be added to an expression of this shape."""
    for term in (*_one_hot(known, shape), *_products(known, shape)):
        yield f"({ast.unparse(node)}) + {term}", f"lacks {term}"
        yield f"({ast.unparse(node)}) - {term}", f"lacks - {term}"


def _fits(shape: Shape, wide: Shape) -> bool:
    """Whether an array of one shape can stand beside one of another, and leave that as it is."""
    pairs = zip(reversed(shape), reversed(wide), strict=False)
    return len(shape) <= len(wide) and all(size in (1, whole) for size, whole in pairs)


def _one_hot(known: InScope, shape: Shape) -> Iterator[str]:
    """Labels, one-hot along the last axis."""
    for name, value in known.items() if shape else ():
        whole = isinstance(value, np.ndarray | np.integer | int) and np.asarray(value).dtype.kind in "iu"
        if whole and np.shape(value) == shape[:-1] and np.all((np.asarray(value) >= 0) & (value < shape[-1])):
            yield f"np.eye({shape[-1]})[{name}]"


def _products(known: InScope, shape: Shape) -> Iterator[str]:
    """Products of two arrays, entry by entry and as matrices, of this shape."""
    arrays = {name: np.shape(value) for name, value in known.items() if np.ndim(value)}
    for a, left in arrays.items():
        for b, right in arrays.items():
            if left == right == shape and a <= b:
                yield f"{a} * {b}"
            if len(left) == len(right) == len(shape) == 2:
                if (left[0], right[1]) == shape and left[1] == right[0]:
                    yield f"{a} @ {b}"
                if (left[0], right[0]) == shape and left[1] == right[1]:
                    yield f"{a} @ {b}.T"
                if (left[1], right[1]) == shape and left[0] == right[0]:
                    yield f"{a}.T @ {b}"
                if right == shape and shape[0] in left:
                    yield f"{a}.sum({1 - left.index(shape[0])})[:, None] * {b}"


LEFT_OUT = {
    ast.Add: "has {right} too much",
    ast.Sub: "has {right} too much",
    ast.Mult: "has the factor {right} once too often",
    ast.Div: "is divided by {right} once too often",
    ast.Pow: "has the factor {left} once too often",
}


def _of_entry(node: ast.Subscript) -> Iterator[tuple[str, str]]:
    array, place = f"({ast.unparse(node.value)})", ast.unparse(node.slice)
    if isinstance(node.slice, ast.Slice):
        yield array, f"takes {ast.unparse(node)} alone where all of it belongs"
    elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        yield f"{array}.sum({place})", f"takes entry {place} where the sum over axis 0 belongs"
    elif not isinstance(node.slice, ast.Constant | ast.Tuple | ast.Slice):
        for step in ("- 1", "+ 1"):
            yield f"{array}[{place} {step}]", "is off by one step"


def _of_operator(node: ast.BinOp) -> Iterator[tuple[str, str]]:
    left, right = ast.unparse(node.left), ast.unparse(node.right)
    if (
        isinstance(node.op, ast.Mult | ast.Div)
        and isinstance(node.left, ast.BinOp)
        and isinstance(node.left.op, ast.Mult)
    ):
        first, second = ast.unparse(node.left.left), ast.unparse(node.left.right)
        if isinstance(node.op, ast.Mult):
            yield first, f"has the factor {second} * {right} once too often"
    for other in SWAPPED.get(type(node.op), ()):
        what = "sign in front of" if {type(node.op), other} == {ast.Add, ast.Sub} else "operator at"
        yield ast.unparse(ast.BinOp(node.left, other(), node.right)), f"has the wrong {what} {right}"
    if type(node.op) in LEFT_OUT:
        why = LEFT_OUT[type(node.op)]
        yield left, why.format(left=left, right=right)
        if isinstance(node.op, ast.Add | ast.Mult):
            yield right, why.format(left=right, right=left)
    counts = isinstance(node.right, ast.Name | ast.Call | ast.Attribute) or "shape" in right
    if isinstance(node.op, ast.Div | ast.Mult) and counts:
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
        if isinstance(node.func, ast.Attribute) and not arguments:
            yield ast.unparse(node.func.value), f"has .{name}() too much"
    if name in ("var", "std"):
        for keyword in BIASED:
            if not any(each.arg == keyword.partition("=")[0] for each in node.keywords):
                own = ast.parse(f"f({keyword})").body[0].value.keywords[0]  # type: ignore[attr-defined]
                new_call = ast.Call(node.func, node.args, [*node.keywords, own])
                yield ast.unparse(new_call), f"lacks {keyword}: n and n - 1 are mixed up"
    if name == "reshape" and isinstance(node.func, ast.Attribute):
        yield from _of_reshape(f"({ast.unparse(node.func.value)})", arguments)
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


def _of_reshape(array: str, sizes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A transpose that was left out: before a reshape that makes fewer axes, or after one that makes more."""
    why = "is reshaped where it has to be transposed as well: its entries come in another order"
    if 2 < len(sizes) < 5:
        for axes in permutations(range(len(sizes))):
            if list(axes) != sorted(axes):
                turned = ", ".join(sizes[axis] for axis in axes)
                back = tuple(axes.index(axis) for axis in range(len(axes)))
                yield f"{array}.reshape({turned}).transpose{back}", why
    for ndim in (3, 4):
        for axes in permutations(range(ndim)):
            if list(axes) != sorted(axes):
                yield f"{array}.transpose{axes}.reshape({', '.join(sizes)})", why
