"""A plain function on its library's arrays, and the machine's gradients: ``jax.vjp``, ``torch.autograd.grad``."""

import sys
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from gradparity.errors import UsageError
from gradparity.parity.differences import LossMeasurement, contradiction
from gradparity.parity.judge import FLOAT64_LIMIT
from gradparity.parity.norms import relative_error
from gradparity.protocol import Array, Dtype, Trace
from gradparity.subjects.arguments import Arguments, Arrays, arranged_like, as_numpy, name_of, outputs


def evaluate(function: Callable[..., Any], given: Arguments, real: Mapping[str, np.ndarray]) -> Arrays:
    """Return the outputs by name, for these real arguments, of a function on arrays of its own library in float64."""
    with in_float64():
        native = to_library(given)
        y = function(*given.filled({name: native(x) for name, x in real.items()}, native))
        return {name: as_numpy(value) for name, value in outputs(y).items()}


def evaluate_twice(function: Callable[..., Any], given: Arguments) -> tuple[Arrays, list[str]]:
    """Evaluate as ``evaluate`` does, and name the arguments that the function changes in place.

    Raises UsageError where a second call gives another result.
    """
    name = name_of(function)
    with in_float64():
        native = to_library(given)
        xs = {path: native(x) for path, x in given.floats.items()}
        first = {path: as_numpy(value) for path, value in outputs(function(*given.filled(xs, native))).items()}
    for path, value in evaluate(function, given, given.real).items():
        if path not in first or not np.array_equal(value, first[path], equal_nan=value.dtype.kind == "f"):
            raise UsageError(
                f"{name} must give the same {path} each time on the same arguments, two calls differ: draw random "
                "numbers once, outside, and pass them as an argument"
            )
    return first, changed_in_place(given.floats, xs)


def changed_in_place(before: Arrays, after: Mapping[str, Array]) -> list[str]:
    """Return the names of the arrays that are not what they were."""
    return [name for name, array in before.items() if not np.array_equal(as_numpy(after[name]), array)]


def in_float64() -> AbstractContextManager[Any]:
    """JAX's 64-bit types, where JAX is in use at all."""
    return sys.modules["jax"].enable_x64(True) if "jax" in sys.modules else nullcontext()


def to_library(given: Arguments) -> Callable[[np.ndarray], Array]:
    """Return the conversion of a NumPy array to one of the arguments' library: a copy."""
    if given.library == "jax":
        from jax import numpy as jnp

        return jnp.array
    if given.library == "torch":
        import torch

        return lambda a: torch.from_numpy(np.array(a))
    return np.array


def by_jax(
    function: Callable[..., Any],
    arguments: Arguments,
    upstream: Arrays,
    dtype: Dtype = "float64",
    *,
    transform: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda g: g,
    wide: bool = False,
) -> Trace:
    """Return the outputs, and the gradients of the real arguments, with JAX's 64-bit types on in float64 only.

    ``wide`` has them on in float32 too. ``transform`` is applied to the function of the real arguments alone, such as
    ``jax.jit`` or ``jax.vmap``. Raises UsageError where the outputs are not named or shaped like ``upstream``, and what
    the function raises.
    """
    import jax
    from jax import numpy as jnp

    def of_real(xs: dict[str, Array]) -> Any:
        return function(*arguments.filled(xs, lambda a: jnp.asarray(a, dtype if a.dtype.kind == "f" else None)))

    with jax.enable_x64(dtype == "float64" or wide):
        y, pull_back = jax.vjp(transform(of_real), {name: jnp.asarray(x, dtype) for name, x in arguments.real.items()})
        _require_like({name: value for name, value in outputs(y).items() if _is_real(value)}, upstream)
        dy = {
            name: jnp.asarray(upstream[name], value.dtype)
            if name in upstream
            else np.zeros(value.shape, jax.dtypes.float0)
            for name, value in outputs(y).items()
        }
        (gradients,) = pull_back(arranged_like(y, dy))
        in_order = {name: gradients[name] for name in arguments.real}  # JAX gives a dict back sorted by name
        return Trace(_numpy(outputs(y)), _numpy(in_order))


def by_compiled_jax(function: Callable[..., Any], arguments: Arguments, upstream: Arrays) -> Trace:
    """Do as ``by_jax`` in one program, which JAX compiles faster than each operation apart.

    A function that branches on its values cannot be compiled, and is differentiated operation by operation.
    """
    import jax

    try:
        return by_jax(function, arguments, upstream, transform=jax.jit)
    except jax.errors.ConcretizationTypeError:
        return by_jax(function, arguments, upstream)


def by_torch(
    function: Callable[..., Any],
    arguments: Arguments,
    upstream: Arrays,
    dtype: Dtype = "float64",
    *,
    wanted: Collection[str] | None = None,
    contiguous: bool = True,
    again: bool = False,
    none_is_zero: bool = True,
) -> Trace:
    """Return the outputs, and the gradients of the ``wanted`` real arguments: of all of them where that is None.

    A gradient of None is zero, or else is left out. An output that has no upstream gradient is left unused.
    ``contiguous=False`` passes arguments and upstream gradients column by column, with gaps between their entries;
    ``again`` runs the backward pass twice and returns what the second gives. Raises UsageError where outputs are not
    shaped like ``upstream`` or an argument is changed in place, and what the function raises.
    """
    import torch

    def tensor(a: np.ndarray) -> Any:
        own = torch.from_numpy(np.array(a, dtype=dtype if a.dtype.kind == "f" else None))
        if contiguous:
            return own
        backwards = tuple(reversed(range(own.ndim)))
        turned = own.permute(backwards)
        return torch.stack([turned, turned], dim=-1)[..., 0].permute(backwards)

    real = {name: tensor(x) for name, x in arguments.real.items()}
    leaves = {name: x.detach().requires_grad_(wanted is None or name in wanted) for name, x in real.items()}
    dy = {name: tensor(g) for name, g in upstream.items()}
    with torch.enable_grad(), warnings.catch_warnings():
        if arguments.library != "torch":  # what a function of another library warns of is no user's matter
            warnings.simplefilter("ignore")
        y = outputs(function(*arguments.filled(leaves, tensor)))
    _require_like({name: y[name] for name in y if name in upstream}, upstream)
    roots = [name for name in upstream if y[name].requires_grad]
    asked = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    found: tuple[Any, ...] = (None,) * len(asked)
    for _ in range((2 if again else 1) if roots else 0):
        found = torch.autograd.grad(
            [y[name] for name in roots],
            list(asked.values()),
            [dy[name] for name in roots],
            retain_graph=again,
            allow_unused=True,
        )
    require_unchanged("it", arguments.real, real, dtype)
    require_unchanged("it", upstream, dy, dtype, "the upstream gradient of ")
    gradients = {
        name: torch.zeros_like(leaf) if g is None else g
        for (name, leaf), g in zip(asked.items(), found, strict=True)
        if g is not None or none_is_zero
    }
    return Trace(_numpy(y), _numpy(gradients))


def why_no_witness(values: Arrays, truth: Trace, measured: Mapping[str, LossMeasurement]) -> str:
    """Say why a witness cannot judge: it computed something else than f, or derived it wrong, or to no number at all.

    ``measured`` is how f changes.
    """
    for name, value in values.items():
        error = relative_error(truth.values[name], value)
        if not error <= FLOAT64_LIMIT:
            return f"f gives another {name} on its arrays (relative error {error:.1e})"
    for name, gradient in truth.gradients.items():
        if not np.isfinite(gradient).all():
            return f"its own gradient of {name} is NaN or infinite"
    return contradiction(truth.gradients, measured)


def _require_like(y: dict[str, Array], upstream: Arrays) -> None:
    received = {name: tuple(np.shape(value)) for name, value in y.items()}
    expected = {name: g.shape for name, g in upstream.items()}
    if received != expected:
        raise UsageError(f"returns {_words(received)}, should be {_words(expected)}")


def _words(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} of shape {shape}" for name, shape in shapes.items()) or "nothing"


def require_unchanged(who: str, before: Arrays, after: Mapping[str, Array], dtype: Dtype, what: str = "") -> None:
    """Raise UsageError where an array is not what it was, in this dtype."""
    for name, array in before.items():
        if not np.array_equal(as_numpy(after[name]), array.astype(dtype)):
            raise UsageError(f"{who} changes {what}{name} in place: copy it first, others still need its values")


def _is_real(value: Array) -> bool:
    return np.dtype(value.dtype).kind not in "biu"


def _numpy(named: dict[str, Array]) -> Arrays:
    return {name: as_numpy(value) for name, value in named.items()}
