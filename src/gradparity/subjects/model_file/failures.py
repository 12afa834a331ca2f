"""Whatever a user's code raises, as one sentence: the line, what happened, and what to write instead."""

import ast
import functools
import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from gradparity.errors import UsageError, did_you_mean, first_line, said_by
from gradparity.recording import library_of
from gradparity.subjects.model_file.source import TracebackStep, code_of, last_step, shown

ARRAYS = {"jax": "a traced JAX array", "torch": "a PyTorch tensor"}
"""Library -> what forward works on when that library differentiates it."""
USE_XP = "write  xp = array_namespace(x)  (of array_api_compat), then xp.{}"
REMEDIES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "jax",
        ("TracerArrayConversionError",),
        f"NumPy cannot work on a traced JAX array: {USE_XP.format('exp(x) and so on')}",
    ),
    (
        "jax",
        ("ConcretizationTypeError", "TracerIntegerConversionError", "NonConcreteBooleanIndexError"),
        "a traced JAX array has no numbers yet, so no if, while, float(), int(), item() or selection by a mask: "
        "write xp.where(condition, a, b), and keep every number an array",
    ),
    ("jax", ("immutable",), "a JAX array takes no x[i] = v: build it with xp.where, xp.stack or xp.concat"),
    ("torch", ("Can't call numpy()",), f"NumPy cannot work on a PyTorch tensor: {USE_XP.format('exp(x) and so on')}"),
    (
        "torch",
        ("torch.return_types",),
        "a tensor's own max, min, sort and median return pairs: write xp.max(z, axis=1)",
    ),
    (
        "torch",
        ("numpy.ndarray",),
        "a NumPy array does not go with a PyTorch tensor: make it with xp.asarray(..., dtype=x.dtype)",
    ),
)
"""Library, words of which the exception has one, what to write."""


def explaining(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Return ``function`` with whatever it raises turned into a UsageError that names the user's line."""

    @functools.wraps(function)
    def explained(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise explain_exception(error, function, what, _library(arguments)) from error

    return explained


def explain_exception(
    error: BaseException, function: Callable[..., Any], what: str, library: str = "numpy"
) -> UsageError:
    """Say in one line what a user's ``function`` did when it raised ``error`` on arrays of ``library``.

    ``what`` names the function. Errors of array libraries that come from one well-known cause get the cause and its
    remedy; of the others, the first line is quoted.
    """
    code = code_of(function)
    step = last_step(error.__traceback__, code.co_filename) if code else None
    place = f"{shown(step.frame.f_code.co_filename)}:{step.line}: " if step else ""
    if isinstance(error, UsageError):
        return UsageError(f"{place}{error}")
    if isinstance(error, SystemExit):
        return UsageError(
            f"{place}code that is checked must not end the process, it raised SystemExit: raise an error instead"
        )
    if library in ARRAYS:
        outside = _change_outside(function, step, error)
        if outside:
            return UsageError(
                f"{outside[0]}: {what} changes {outside[1]}, which is not its own: a check runs it on "
                f"{ARRAYS[library]} too, so keep running statistics out of it, and update them where you train"
            )
        cause = _numpy_call(step, library) or _remedy(error, library)
        quoted = f"{type(error).__name__}: {_first_line(error)}"
        return UsageError(
            f"{place}{cause}"
            if cause
            else f"{place}{what} works on NumPy's arrays and fails on {ARRAYS[library]}, {quoted}: "
            f"{USE_XP.format('exp(x) and so on, which every library has')}"
        )
    if isinstance(error, TypeError) and "mappingproxy" in first_line(error):  # what the preflight gives as p
        return UsageError(f"{place}p is changed: {what} only reads it, so make a new array")
    found = _missing_key(error, step) or _operands(error, step) or f"{_first_line(error)}{_missing_attribute(error)}"
    kind = type(error).__name__
    return UsageError(f"{place}{what} raised {kind}: {found}" if found else f"{place}{what} raised {kind}")


@contextmanager
def explaining_autograd(function: Callable[..., Any]) -> Iterator[None]:
    """Explain what PyTorch raises only after ``function``, the forward pass, has returned.

    Its warning that it takes a number for constant is not passed on: a check says what comes of it.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Converting a tensor with requires_grad")
            yield
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        code = code_of(function)
        place = f"{shown(code.co_filename)}:{_in_place_lines(function)}: " if code else ""
        raise UsageError(
            f"{place}PyTorch cannot differentiate forward, for an array that it still needs is changed in place: "
            "make a new one, x = x / s in place of x /= s"
        ) from error


def _library(arguments: tuple[Any, ...]) -> str:
    """Return the library of the batch, the second argument of forward and backward."""
    return library_of(getattr(arguments[1], "x", None)) if len(arguments) > 1 else "numpy"


def _first_line(error: BaseException) -> str:
    return first_line(error).replace("'mappingproxy'", "'dict'")


def _remedy(error: BaseException, library: str) -> str | None:
    text = " ".join([*(cls.__name__ for cls in type(error).__mro__), said_by(error)])
    fitting = (remedy for of, words, remedy in REMEDIES if of == library and any(word in text for word in words))
    return next(fitting, None)


def _numpy_call(step: TracebackStep | None, library: str) -> str | None:
    """Say that the failed call is NumPy's own, where it is."""
    if step is None or not isinstance(step.expression, ast.Call):
        return None
    called = _value(step.expression.func, step.frame)
    if not isinstance(called, np.ufunc) and not str(getattr(called, "__module__", "")).startswith("numpy"):
        return None
    name = ast.unparse(step.expression.func)
    return f"{name} works on NumPy's arrays only, got {ARRAYS[library]}: {USE_XP.format(name.rpartition('.')[2])}"


def _value(expression: ast.expr, frame: FrameType) -> Any:
    """Look up a name or a module's attribute, evaluating nothing else."""
    if isinstance(expression, ast.Name):
        return frame.f_locals.get(expression.id, frame.f_globals.get(expression.id))
    if isinstance(expression, ast.Attribute):
        owner = _value(expression.value, frame)
        return getattr(owner, expression.attr, None) if isinstance(owner, ModuleType) else None
    return None


def _missing_key(error: BaseException, step: TracebackStep | None) -> str | None:
    """Say what a mapping does hold, where a name was looked up in vain."""
    if not isinstance(error, KeyError) or step is None or not isinstance(step.expression, ast.Subscript):
        return None
    mapping = _value(step.expression.value, step.frame)
    if not isinstance(mapping, Mapping):
        return None
    name, names = str(error.args[0]), [str(key) for key in mapping]
    holder = ast.unparse(step.expression.value)
    return f"{holder} has no '{name}', there is {', '.join(names) or 'nothing'}{did_you_mean(name, names)}"


PLAIN = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Slice, ast.Tuple, ast.UnaryOp, ast.expr_context)
"""What an expression is made of that can be evaluated once more: names, entries and attributes."""


def _operands(error: BaseException, step: TracebackStep | None) -> str | None:
    """Name the two arrays, with their shapes, that an operator could not bring together."""
    if step is None or not isinstance(step.expression, ast.BinOp) or not isinstance(error, ValueError):
        return None
    left, right = (ast.unparse(side) for side in (step.expression.left, step.expression.right))
    a, b = (_shape(side, step.frame) for side in (step.expression.left, step.expression.right))
    if a is None or b is None:
        return None
    if not isinstance(step.expression.op, ast.MatMult):
        return f"{left} of shape {a} and {right} of shape {b} do not go together entry by entry"
    found = f"{left} of shape {a} and {right} of shape {b} do not multiply as matrices"
    if len(a) != 2 or len(b) != 2 or (a[0] != b[0] and a[1] != b[1]):
        return found
    meant = f"{_turned(left)} @ {right}" if a[0] == b[0] else f"{left} @ {_turned(right)}"
    return f"{found}, is {meant} meant?"


def _turned(matrix: str) -> str:
    return matrix.removesuffix(".T") if matrix.endswith(".T") else f"{matrix}.T"


def _shape(expression: ast.expr, frame: FrameType) -> tuple[int, ...] | None:
    """Return the shape of what is ``PLAIN``; None for anything else, and where that is no array."""
    if not all(isinstance(node, PLAIN) for node in ast.walk(expression)):
        return None
    try:
        array = eval(compile(ast.Expression(expression), "", "eval"), frame.f_globals, frame.f_locals)
    except Exception:  # a mapping may refuse to be read twice
        return None
    return getattr(array, "shape", None)


def _missing_attribute(error: BaseException) -> str:
    if not isinstance(error, AttributeError) or error.name is None:
        return ""
    return did_you_mean(error.name, [name for name in dir(error.obj) if not name.startswith("_")])


def _tree_of(function: Callable[..., Any]) -> ast.Module:
    """Return a function's syntax tree, with the line numbers of its file."""
    lines, first = inspect.getsourcelines(inspect.unwrap(function))
    return ast.increment_lineno(ast.parse(textwrap.dedent("".join(lines))), first - 1)


def _change_outside(
    function: Callable[..., Any], step: TracebackStep | None, error: BaseException
) -> tuple[str, str] | None:
    """Return the place and the target of the change of what outlives a call, where that is what failed.

    That is a global, an entry of one, or an attribute of self.
    """
    if step is None:
        return None
    tree = _tree_of(function)
    nodes = list(ast.walk(tree))
    arguments = {argument.arg for node in nodes if isinstance(node, ast.arguments) for argument in node.args}
    declared = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    local = (stored | arguments) - declared - {"self"}
    leaked = "UnexpectedTracerError" in type(error).__name__
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AugAssign) and (leaked or node.lineno == step.line):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if _root(target) not in local | {""}:
                    return f"{shown(step.frame.f_code.co_filename)}:{node.lineno}", ast.unparse(target)
    return None


def _root(target: ast.expr) -> str:
    """Return the variable of which a target is an entry or an attribute."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _in_place_lines(function: Callable[..., Any]) -> str:
    """Return the lines of a function that change a local array in place, such as x += 1 and x[i] = 0."""
    tree = _tree_of(function)
    own = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}

    def in_place(target: ast.expr) -> bool:
        return isinstance(target, ast.Subscript) and getattr(target.value, "id", None) not in own

    changes = sorted(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Assign) and any(map(in_place, node.targets)))
    )
    return ",".join(map(str, changes or [tree.body[0].lineno]))
