"""The convolution of images: each window's pixels in a column, and one product with the kernels for all of them.

Source: Y. LeCun and others, Gradient-Based Learning Applied to Document Recognition (1998), section II; the columns are
K. Chellapilla, S. Puri and P. Simard, High Performance Convolutional Neural Networks (2006).
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.operations.windows import Pair, Windows
from gradparity.protocol import Array
from gradparity_manual.operations import namespace, windows


def forward(
    p: Any, x: Inexact[Array, "n channels h w"], at: Windows, c: Any
) -> Inexact[Array, "n outputs down across"]:
    """Lay every kernel on every window, and add its bias."""
    c["out"] = laid_on_windows(p["W"], x, at) + p["b"][:, None, None]  # (n, outputs, down, across)
    return c["out"]


def forward_without_bias(
    p: Any, x: Inexact[Array, "n channels h w"], at: Windows, c: Any
) -> Inexact[Array, "n outputs down across"]:
    """Lay every kernel on every window."""
    c["out"] = laid_on_windows(p["W"], x, at)  # (n, outputs, down, across)
    return c["out"]


def laid_on_windows(
    kernels: Inexact[Array, "outputs channels kh kw"], x: Inexact[Array, "n channels h w"], at: Windows
) -> Inexact[Array, "n outputs down across"]:
    """Return Σ W ⊙ x under each window, all of them in one product."""
    out = namespace(x).matmul(_rows(kernels), _columns(x, at))  # (n, outputs, down·across)
    return out.reshape(*out.shape[:2], *at.counts(*x.shape[2:]))


def backward(p: Any, x: Float[Array, "n channels h w"], at: Windows, d: Any) -> None:
    """Add to the gradients of W and b, which touch every window of every example: so both are sums over them."""
    backward_without_bias(p, x, at, d)
    d.add("b", _flat(d["out"]).sum(axis=(0, 2)))  # (outputs,)


def backward_without_bias(p: Any, x: Float[Array, "n channels h w"], at: Windows, d: Any) -> None:
    """Add to the gradient of W."""
    upstream = _flat(d["out"])  # (n, outputs, down·across)
    products = namespace(x).matmul(upstream, _columns(x, at).mT)  # (n, outputs, channels·places)
    d.add("W", products.sum(axis=0).reshape(p["W"].shape))  # (outputs, channels, height, width)


def share_of_input(p: Any, image: Pair, at: Windows, d: Any) -> Float[Array, "n channels h w"]:
    """Return what x receives. Apart from ``backward``, for the first layer's input needs none."""
    upstream = d["out"]  # (n, outputs, down, across)
    columns = namespace(upstream).matmul(_rows(p["W"]).mT, _flat(upstream))  # (n, channels·places, down·across)
    shape = (upstream.shape[0], p["W"].shape[1], at.places, *upstream.shape[2:])
    return windows.backward(columns.reshape(shape), image, at)


def _columns(x: Inexact[Array, "n channels h w"], at: Windows) -> Inexact[Array, "n rows windows"]:
    """Return a column for every window, with its pixels of all channels."""
    gathered = windows.forward(x, at)  # (n, channels, places, down, across)
    n, channels, places, down, across = gathered.shape
    return gathered.reshape(n, channels * places, down * across)


def _rows(kernels: Inexact[Array, "outputs channels h w"]) -> Inexact[Array, "outputs rows"]:
    """Return a row for every kernel, in the order of the columns."""
    return kernels.reshape(kernels.shape[0], -1)


def _flat(z: Float[Array, "n outputs down across"]) -> Float[Array, "n outputs windows"]:
    return z.reshape(*z.shape[:2], -1)
