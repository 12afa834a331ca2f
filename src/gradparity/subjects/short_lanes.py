"""The lanes bfloat16 and float16: a rule and the library's own plain code, at the same numbers that the dtype holds."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from array_api_compat import is_torch_array

from gradparity.errors import UsageError, require_some
from gradparity.parity.budget import nudged
from gradparity.parity.problem import LANES
from gradparity.parity.report import Report
from gradparity.parity.rows import Lane, Short, Unchecked
from gradparity.parity.short_floats import BITS, DRAWS, Compared, ShortDraw, compared, rounded, ulp
from gradparity.protocol import Array, Trace
from gradparity.subjects.arguments import Arguments, Arrays, Library, arranged_like, outputs
from gradparity.subjects.backward_rule import reason

Run = Callable[[Short | Literal["float64"], Arguments, Arrays], Trace]
"""Runs something in a dtype, from arguments and upstream gradients that it can hold, and returns NumPy arrays."""

SPOKEN = {"torch": "PyTorch", "jax": "JAX"}
CLOSE = {"torch": "torch.testing.assert_close", "jax": "np.testing.assert_allclose"}


def short_of(lanes: Sequence[Lane]) -> list[Short]:
    """Return the short ones of the lanes that are asked for. Raises UsageError for one that is not known, and none."""
    require_some("lanes", lanes, (*LANES, *BITS))
    return [lane for lane in BITS if lane in lanes]


def in_short_lanes(
    report: Report,
    lanes: Sequence[Short],
    name: str,
    own: Run,
    plain: Run,
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
    *,
    own_forward: bool = True,
    rtol: float = 0.0,
) -> Report:
    """Add to a report what a rule errs by in each of the lanes, beside plain code of the arguments' library.

    What cannot run in a dtype is not checked, with the reason. Raises UsageError for arguments of NumPy.
    """
    if given.library == "numpy" and lanes:
        raise UsageError(f"lanes: {lanes[0]} needs arguments that are arrays of JAX or PyTorch, got NumPy's")
    for lane in lanes:
        found = _in_lane(lane, name, own, plain, given, upstream, rng, own_forward, rtol)
        if isinstance(found, str):
            report = replace(report, unchecked=(*report.unchecked, Unchecked(lane, name, found)))
            continue
        report = replace(
            report,
            backends=tuple(dict.fromkeys((*report.backends, name))),
            witnesses=tuple(dict.fromkeys((*report.witnesses, given.library))),
            rows=(*report.rows, *found.rows),
            remarks=(*report.remarks, *found.remarks),
            unchecked=(*report.unchecked, *found.unchecked),
        )
    return report


def _in_lane(
    lane: Short,
    name: str,
    own: Run,
    plain: Run,
    given: Arguments,
    upstream: Arrays,
    rng: np.random.Generator,
    own_forward: bool,
    rtol: float,
) -> Compared | str:
    """Run both at numbers near by; return what was found, or why it could not be."""

    def drawn(a: np.ndarray, first: bool) -> np.ndarray:
        return rounded(a if first else nudged(a, ulp(lane), rng), lane)

    library = SPOKEN[given.library]
    draws = []
    for i in range(DRAWS):
        start = given.with_real({x: drawn(a, i == 0) for x, a in given.floats.items()})
        dy = {y: drawn(g, i == 0) for y, g in upstream.items()}
        try:
            by_plain = plain(lane, start, dy)
        except Exception as error:  # a library has not every operation in every dtype
            return f"plain {library} does not run in {lane} here: {reason(error)}"
        try:
            by_own = own(lane, start, dy)
        except Exception as error:  # a kernel may be written for other dtypes
            return f"it does not run in {lane}: {reason(error)}"
        draws.append(ShortDraw(plain("float64", start, dy), by_plain, by_own))
    return compared(name, given.library, library, lane, draws, CLOSE[given.library], own_forward, rtol)


def by_autodiff(function: Callable[..., Any], library: Library) -> Run:
    """Return the library's own derivative of a function on its arrays."""
    return _by_torch(function) if library == "torch" else _by_jax(function)


def by_rule(f: Callable[..., Any], rule: Callable[..., dict[str, Array]], library: Library) -> Run:
    """Return a pair's gradients: ``rule(*arguments, dy)`` returns them by path, and dy is arranged like f's output."""

    def run(dtype: Short | Literal["float64"], given: Arguments, upstream: Arrays) -> Trace:
        with _precision(library, dtype):
            native = _native(library, dtype)
            arguments = given.filled({x: native(a) for x, a in given.real.items()}, native)
            dy = arranged_like(f(*arguments), {y: native(g) for y, g in upstream.items()})
            return Trace({}, {x: _wide(g) for x, g in rule(*arguments, dy).items()})

    return run


def _by_torch(function: Callable[..., Any]) -> Run:
    import torch

    def run(dtype: Short | Literal["float64"], given: Arguments, upstream: Arrays) -> Trace:
        native = _native("torch", dtype)
        leaves = {x: native(a).requires_grad_() for x, a in given.real.items()}
        y = outputs(function(*given.filled(leaves, native)))
        roots = [name for name in upstream if y[name].requires_grad]
        dy = [native(upstream[name]).to(y[name].dtype) for name in roots]
        found = torch.autograd.grad([y[name] for name in roots], list(leaves.values()), dy, allow_unused=True)
        gradients = {
            x: np.zeros(leaf.shape) if g is None else _wide(g)
            for (x, leaf), g in zip(leaves.items(), found, strict=True)
        }
        return Trace({name: _wide(value) for name, value in y.items()}, gradients)

    return run


def _by_jax(function: Callable[..., Any]) -> Run:
    import jax

    def run(dtype: Short | Literal["float64"], given: Arguments, upstream: Arrays) -> Trace:
        with _precision("jax", dtype):
            native = _native("jax", dtype)
            real = {x: native(a) for x, a in given.real.items()}
            y, pull_back = jax.vjp(lambda real: function(*given.filled(real, native)), real)
            dy = {
                name: jax.numpy.asarray(upstream[name], value.dtype)
                if name in upstream
                else np.zeros(value.shape, jax.dtypes.float0)
                for name, value in outputs(y).items()
            }
            (found,) = pull_back(arranged_like(y, dy))
            values = {name: _wide(value) for name, value in outputs(y).items()}
            return Trace(values, {x: _wide(found[x]) for x in given.real})

    return run


def _native(library: Library, dtype: str) -> Callable[[np.ndarray], Array]:
    """Return the conversion of a NumPy array to the library's, real numbers in the dtype."""
    if library == "torch":
        import torch

        def tensor(a: np.ndarray) -> Array:
            own = torch.from_numpy(np.array(a))
            return own.to(getattr(torch, dtype)) if own.is_floating_point() else own

        return tensor
    from jax import numpy as jnp

    return lambda a: jnp.asarray(a, dtype if a.dtype.kind == "f" else None)


def _precision(library: Library, dtype: str) -> Any:
    if library != "jax":
        return nullcontext()
    import jax

    return jax.enable_x64(dtype == "float64")


def _wide(array: Array) -> np.ndarray:
    """Copy to NumPy, real numbers to float64, which has them all; NumPy itself has no bfloat16."""
    if is_torch_array(array):
        array = array.detach()
        return np.array((array.double() if array.is_floating_point() else array).numpy())
    own = np.asarray(array)
    return own if own.dtype.kind in "biu" else own.astype(np.float64)
