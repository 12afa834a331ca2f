"""What goes into a function and what comes out: NumPy arrays by name, whatever library the function itself takes."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from array_api_compat import is_jax_array, is_torch_array

from gradparity.errors import UsageError, quoted, unknown
from gradparity.protocol import Array, in_dtype

Library: TypeAlias = Literal["numpy", "jax", "torch"]
Arrays: TypeAlias = dict[str, np.ndarray]


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call, each an array or a tree of arrays: a dict, tuple or list of them, nested at will.

    The real arrays that are not constant are differentiated, named by their path: ``x``, ``params['W']``. Everything
    else is passed as it is.
    """

    names: tuple[str, ...]
    values: tuple[Any, ...]
    """Arrays as NumPy's, real ones in float64."""
    library: Library
    """Whose arrays they were."""
    constant: frozenset[str] = frozenset()
    """Paths of what nobody asks the gradient of, such as data."""
    stated: bool = False
    """Whether the user said which are constant: then a rule that returns None for another is wrong."""

    @property
    def floats(self) -> Arrays:
        """The real arrays, constant or not."""
        return {path: leaf for path, leaf in self._arrays.items() if leaf.dtype.kind == "f"}

    @property
    def real(self) -> Arrays:
        """The arrays that have a gradient."""
        return {path: leaf for path, leaf in self.floats.items() if path not in self.constant}

    @property
    def constant_arrays(self) -> Arrays:
        """The arrays that have none, such as labels."""
        return {path: leaf for path, leaf in self._arrays.items() if path not in self.real}

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each argument that cannot have one."""
        owners = {path.partition("[")[0] for path in self.floats}
        constant = [name for name in self.names if name not in owners]
        return tuple(f"{name} is not an array of real numbers, so it has no gradient" for name in constant)

    @property
    def _arrays(self) -> Arrays:
        leaves = (leaves_of(name, value) for name, value in zip(self.names, self.values, strict=True))
        return {path: leaf for each in leaves for path, leaf in each.items() if isinstance(leaf, np.ndarray)}

    def filled(self, real: Mapping[str, Array], convert: Callable[[np.ndarray], Array]) -> list[Any]:
        """Return all arguments with these real ones; ``convert`` turns the other arrays into another library's."""

        def fill(path: str, leaf: Any) -> Any:
            return real[path] if path in real else convert(leaf) if isinstance(leaf, np.ndarray) else leaf

        return [with_leaves(name, value, fill) for name, value in zip(self.names, self.values, strict=True)]

    def with_real(self, real: Arrays) -> "Arguments":
        """Return the same arguments with other real arrays."""
        return replace(self, values=tuple(self.filled(real, lambda constant: constant)))

    def without(self, constant: Collection[str]) -> "Arguments":
        """Return the same arguments with these paths constant too."""
        return replace(self, constant=self.constant | frozenset(constant))

    def with_real_floats(self, names: Collection[str]) -> "Arguments":
        """Return the same arguments with these Python floats as arrays, which then have a gradient."""
        named = zip(self.names, self.values, strict=True)
        return replace(self, values=tuple(np.array(value) if name in names else value for name, value in named))


def read(function: Callable[..., Any], arguments: Sequence[Any], constant: Collection[str] | None = None) -> Arguments:
    """Name the arguments after the function's parameters, and convert arrays to NumPy.

    ``constant`` names those that have no gradient, by argument or path; without it, PyTorch's tensors say so themselves
    where one of them requires a gradient. Raises UsageError for complex arrays, for arrays of both JAX and PyTorch,
    where there is no array of real numbers, and where ``function`` does not take so many arguments.
    """
    names = _names(function, len(arguments))

    def own(path: str, leaf: Any) -> Any:
        return _real_in_float64(path, as_numpy(leaf)) if _is_array(leaf) else leaf

    named = list(zip(names, arguments, strict=True))
    values = tuple(with_leaves(name, value, own) for name, value in named)
    every = {path: leaf for name, value in named for path, leaf in leaves_of(name, value).items()}
    found = Arguments(names, values, _library(list(every.values())))
    needed = {path for path, leaf in every.items() if is_torch_array(leaf) and leaf.requires_grad}
    if constant is not None:
        found = replace(found, constant=_paths_of(constant, names, every), stated=True)
    elif needed:
        found = replace(found, constant=frozenset(found.floats.keys() - needed), stated=True)
    if not found.floats:
        found = found.with_real_floats([name for name, value in named if isinstance(value, float)])
    if not found.real:
        raise UsageError(
            f"there is nothing to differentiate: none of {', '.join(names) or 'no arguments'} is a real array"
            + (" that is not constant" if found.floats else "")
        )
    return found


def _paths_of(constant: Collection[str], names: Sequence[str], known: Collection[str]) -> frozenset[str]:
    """Return the paths of what these arguments or paths hold."""
    if isinstance(constant, str) or not isinstance(constant, Collection):
        raise UsageError(f'constant must be a list of names, got {quoted(constant)}: write constant=["{names[0]}"]')
    for name in constant:
        if name not in names and name not in known:
            raise unknown("argument", str(name), dict.fromkeys((*names, *known)))
    return frozenset(path for path in known if path in constant or path.partition("[")[0] in constant)


def leaves_of(name: str, tree: Any) -> dict[str, Any]:
    """Name what a tree holds by its path, ``name['key']`` or ``name[0]``; what is no tree by the name alone."""
    branches: Iterable[tuple[Any, Any]]
    if isinstance(tree, Mapping):
        branches = tree.items()
    elif isinstance(tree, tuple | list):
        branches = enumerate(tree)
    else:
        return {name: tree}
    return {path: leaf for key, branch in branches for path, leaf in leaves_of(f"{name}[{key!r}]", branch).items()}


def with_leaves(name: str, tree: Any, leaf: Callable[[str, Any], Any]) -> Any:
    """Return a tree of the same structure, each leaf replaced by what ``leaf(path, value)`` returns."""
    if isinstance(tree, Mapping):
        return {key: with_leaves(f"{name}[{key!r}]", branch, leaf) for key, branch in tree.items()}
    if isinstance(tree, tuple | list):
        branches = [with_leaves(f"{name}[{i!r}]", branch, leaf) for i, branch in enumerate(tree)]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return leaf(name, tree)


def as_numpy(array: Array) -> np.ndarray:
    """Copy an array of any of the three libraries; bfloat16, which NumPy has not, as float32."""
    short = str(array.dtype).endswith("bfloat16") if hasattr(array, "dtype") else False
    if is_torch_array(array):
        return np.array((array.float() if short else array).numpy(force=True))
    return np.array(array, dtype=np.float32 if short else None)


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in a report."""
    return str(getattr(function, "__name__", type(function).__name__))


def outputs(y: Any) -> dict[str, Array]:
    """Name what a function returned: "output", or by its path, "output[0]", "output['key']"."""
    return leaves_of("output", y)


def arranged_like(y: Any, named: Mapping[str, Any]) -> Any:
    """Arrange arrays, named as ``outputs`` names them, in the structure of ``y``; None where there is none."""
    return with_leaves("output", y, lambda path, _: named.get(path))


def draw_upstream(values: Mapping[str, np.ndarray], rng: np.random.Generator) -> Arrays:
    """Draw a normal upstream gradient of each real output: were its entries equal, it would hide a wrong sum.

    An output of whole numbers, such as an argmax, has none; that of one in float32 is a number that float32 has too.
    Raises UsageError where no output is an array of real numbers, and for one that is not finite.
    """
    for name, value in values.items():
        whole = value.dtype.kind in "biu" and len(values) > 1
        if value.dtype.kind != "f" and not whole:
            raise UsageError(f"{name} must be an array of real numbers, got {value.dtype}")
        if not np.isfinite(value).all():
            raise UsageError(
                f"{name} is NaN or infinite at these arguments: choose arguments where the function is finite"
            )
    real = {name: value for name, value in values.items() if value.dtype.kind == "f"}
    if not real:
        raise UsageError(f"there is nothing to differentiate: none of {', '.join(values)} is a real array")
    drawn = {name: np.asarray(rng.normal(size=value.shape)) for name, value in real.items()}
    return {name: dy.astype(real[name].dtype).astype(np.float64) for name, dy in drawn.items()}


def require_callable(what: str, function: Any, arguments: Sequence[Any], last: str = "") -> None:
    """Raise UsageError unless a function takes so many arguments; ``last`` names one more that it is given."""
    if not callable(function):
        raise UsageError(f"{what} must be a function, got {type(function).__name__}")
    count = len(arguments) + bool(last)
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # a function written in C need not have a signature
        return
    try:
        signature.bind(*range(count))
    except TypeError:
        given = f"{len(arguments)} arguments" + (f" and {last}" if last else "")
        raise UsageError(f"{what}, {name_of(function)}{signature}, must take the {given} that it is given") from None


def _names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = {}.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(known[i] if i < len(known) else f"argument {i}" for i in range(count))


def _is_array(value: Any) -> bool:
    if is_jax_array(value):
        return not str(value.dtype).startswith("key<")  # a jax.random.key is passed as it is
    return isinstance(value, np.ndarray | np.generic) or bool(is_torch_array(value))


def _real_in_float64(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        raise UsageError(f"{name} is complex, and only real arguments are checked: pass real and imaginary part apart")
    return in_dtype(array, "float64")


def _library(arguments: Sequence[Any]) -> Library:
    libraries: set[Library] = set()
    if any(is_torch_array(a) for a in arguments):
        libraries.add("torch")
    if any(is_jax_array(a) for a in arguments):
        libraries.add("jax")
    if len(libraries) > 1:
        raise UsageError("arguments are arrays of both JAX and PyTorch: pass those of one library")
    return libraries.pop() if libraries else "numpy"
