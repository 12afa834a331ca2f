"""Whatever a user's code raises, as one sentence: the line, what happened, and what to write instead."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from gradparity.errors import UsageError, did_you_mean
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
        except Exception as error:
            raise explain_exception(error, function, what, _library(arguments)) from error

    return explained


def explain_exception(error: Exception, function: Callable[..., Any], what: str, library: str = "numpy") -> UsageError:
    """Say in one line what a user's ``function`` did when it raised ``error`` on arrays of ``library``.

    ``what`` names the function. Errors of array libraries that come from one well-known cause get the cause and its
    remedy; of the others, the first line is quoted.
    """
    code = code_of(function)
    step = last_step(error.__traceback__, code.co_filename) if code else None
    place = f"{shown(step.frame.f_code.co_filename)}:{step.line}: " if step else ""
    if isinstance(error, UsageError):
        return UsageError(f"{place}{error}")
    if library in ARRAYS:
        cause = _numpy_call(step, library) or _remedy(error, library)
        quoted = f"{type(error).__name__}: {_first_line(error)}"
        return UsageError(
            f"{place}{cause}"
            if cause
            else f"{place}{what} works on NumPy's arrays and fails on {ARRAYS[library]}, {quoted}: "
            f"{USE_XP.format('exp(x) and so on, which every library has')}"
        )
    if isinstance(error, TypeError) and "mappingproxy" in str(error):  # what the preflight gives as p
        return UsageError(f"{place}p is changed: {what} only reads it, so make a new array")
    found = _missing_key(error, step) or f"{_first_line(error)}{_missing_attribute(error)}"
    return UsageError(f"{place}{what} raised {type(error).__name__}: {found}")


@contextmanager
def explaining_autograd(function: Callable[..., Any]) -> Iterator[None]:
    """Explain what PyTorch raises only after ``function``, the forward pass, has returned."""
    try:
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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].replace("'mappingproxy'", "'dict'")


def _remedy(error: Exception, library: str) -> str | None:
    text = " ".join([*(cls.__name__ for cls in type(error).__mro__), str(error)])
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


def _missing_key(error: Exception, step: TracebackStep | None) -> str | None:
    """Say what a mapping does hold, where a name was looked up in vain."""
    if not isinstance(error, KeyError) or step is None or not isinstance(step.expression, ast.Subscript):
        return None
    mapping = _value(step.expression.value, step.frame)
    if not isinstance(mapping, Mapping):
        return None
    name, names = str(error.args[0]), [str(key) for key in mapping]
    holder = ast.unparse(step.expression.value)
    return f"{holder} has no '{name}', there is {', '.join(names) or 'nothing'}{did_you_mean(name, names)}"


def _missing_attribute(error: Exception) -> str:
    if not isinstance(error, AttributeError) or error.name is None:
        return ""
    return did_you_mean(error.name, [name for name in dir(error.obj) if not name.startswith("_")])


def _in_place_lines(function: Callable[..., Any]) -> str:
    """Return the lines of a function that change a local array in place, such as x += 1 and x[i] = 0."""
    lines, first = inspect.getsourcelines(inspect.unwrap(function))
    tree = ast.parse(textwrap.dedent("".join(lines)))
    own = {argument.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for argument in node.args}

    def in_place(target: ast.expr) -> bool:
        return isinstance(target, ast.Subscript) and getattr(target.value, "id", None) not in own

    changes = sorted(
        node.lineno + first - 1
        for node in ast.walk(tree)
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Assign) and any(map(in_place, node.targets)))
    )
    return ",".join(map(str, changes or [first]))
