"""One way to hold an operation's derivation against machines: its value, and the gradient of every name, in any shape.

An operation is written three times, by hand and as users of JAX and of PyTorch write it, and each reads its arrays by
name. ``hold`` draws the arrays from their shapes, and a random gradient of the output; then it asks jax.vjp and
torch.autograd for the gradient of every array, torch.autograd over the hand-written forward for that of every name
in between, and a complex step of that forward, which takes no machine at all.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from gradparity.protocol import Array, Key
from gradparity.recording import Gradients, TappedCache

Named: TypeAlias = Mapping[Any, Array]
"""By name, or by name and pass of a loop."""
Shape: TypeAlias = tuple[int, ...]

sizes = st.integers(1, 7)
over_shapes = settings(max_examples=12)
"""JAX compiles for each shape."""
LIMIT = 1e-10
STEP = 1e-30


class Operation(NamedTuple):
    """An operation, three times."""

    forward: Callable[[Named, Any], Array]
    """(arrays, c): by hand, on arrays of any library; writes its names to c and returns the output."""
    backward: Callable[[Named, Any, Any], None]
    """(arrays, c, d): by hand; reads d["out"], writes the gradient of each of its names and of each array."""
    jax: Callable[..., Array]
    torch: Callable[..., Array]
    given: tuple[str, ...] = ()
    """Real arrays that have no gradient: targets, masks."""


def hold(operation: Operation, **drawn: Shape | np.ndarray) -> None:
    """Assert that the derivation agrees with the machines; a shape is filled with normal numbers."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=a) if isinstance(a, tuple) else a for name, a in drawn.items()}
    real = [name for name, a in arrays.items() if a.dtype.kind == "f" and name not in operation.given]
    c: dict[str, Array] = {}
    out = operation.forward(arrays, c)
    upstream = rng.normal(size=out.shape)
    d = Gradients(out=upstream)
    operation.backward(arrays, c, d)
    assert set(d) >= {*real, *c}, "every name has a gradient"
    with jax.enable_x64(True):
        same(out, d, real, _by_jax(operation, arrays, real, upstream))
    same(out, d, real, _by_torch(operation, arrays, real, upstream))
    same(out, d, c, _over_the_forward(operation, arrays, real, upstream))
    _along_an_imaginary_direction(operation, arrays, {name: d[name] for name in real}, upstream, rng)
    _in_single_precision(operation, arrays, upstream)


def same(out: Array, d: Named, names: Any, witness: tuple[Array, Named]) -> None:
    """Assert that a witness has the same output, and the same gradients of these names."""
    value, gradients = witness
    close("the output", out, value)
    for name in names:
        close(f"the gradient of {name}", d[name], gradients[name])


def close(what: str, a: Array, b: Array) -> None:
    """Assert equal shapes, and a small error of the whole array."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, f"{what} has shape {a.shape}, not {b.shape}"
    error = np.linalg.norm(np.ravel(a - b))
    assert error <= LIMIT * max(float(np.linalg.norm(np.ravel(b))), 1.0), f"{what} is off by {error}"


def _by_jax(operation: Operation, arrays: Named, real: list[str], upstream: Array) -> tuple[Array, Named]:
    def run(some: Named, upstream: Array) -> tuple[Array, Named]:
        out, pull_back = jax.vjp(lambda some: operation.jax(**{**arrays, **some}), some)
        return out, pull_back(upstream)[0]

    # Compiled whole, not primitive by primitive.
    found: tuple[Array, Named] = jax.jit(run)({name: arrays[name] for name in real}, upstream)
    return found


def _by_torch(operation: Operation, arrays: Named, real: list[str], upstream: Array) -> tuple[Array, Named]:
    tensors = _tensors(arrays, real)
    out = operation.torch(**tensors)
    gradients = torch.autograd.grad(out, [tensors[name] for name in real], torch.from_numpy(upstream))
    return out.detach(), dict(zip(real, gradients, strict=True))


def _over_the_forward(operation: Operation, arrays: Named, real: list[str], upstream: Array) -> tuple[Array, Named]:
    values: dict[Key, Any] = {}

    def tap(name: Key, value: Any) -> Any:
        value.retain_grad()
        values[name] = value
        return value

    out = operation.forward(_tensors(arrays, real), TappedCache(tap))
    out.backward(torch.from_numpy(upstream))
    return out.detach(), {name: value.grad for name, value in values.items()}


def _along_an_imaginary_direction(
    operation: Operation, arrays: Named, gradients: Named, upstream: Array, rng: np.random.Generator
) -> None:
    directions = {name: rng.normal(size=np.shape(g)) for name, g in gradients.items()}
    moved = {name: arrays[name] + 1j * STEP * v for name, v in directions.items()}
    change = (operation.forward({**arrays, **moved}, {}).imag / STEP * upstream).sum()
    close("the change of the output", sum((gradients[name] * v).sum() for name, v in directions.items()), change)


def _in_single_precision(operation: Operation, arrays: Named, upstream: Array) -> None:
    single = {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    c: dict[str, Array] = {}
    operation.forward(single, c)
    d = Gradients(out=upstream.astype(np.float32))
    operation.backward(single, c, d)
    found = {f"{symbol}['{name}']": a.dtype.name for symbol, of in (("c", c), ("d", d)) for name, a in of.items()}
    assert set(found.values()) == {"float32"}, f"single precision gives {found}"


def _tensors(arrays: Named, real: list[str]) -> dict[str, Any]:
    tensors = {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
    return {name: t.requires_grad_() if name in real else t for name, t in tensors.items()}
