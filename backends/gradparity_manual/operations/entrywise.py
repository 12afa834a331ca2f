"""Functions that act on each entry alone, φ, and their local derivatives φ'(z), which may be written with a = φ(z).

Source of GELU and SiLU: D. Hendrycks and K. Gimpel (2016), arXiv:1606.08415.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Float, Inexact

from gradparity.operations.entrywise import CUBIC, LEAK
from gradparity.protocol import Array
from gradparity_manual.operations import namespace, special


def forward(phi: str, z: Inexact[Array, "*shape"], c: Any, leak: float = LEAK) -> Inexact[Array, "*shape"]:
    """out = φ(z), by the function's name; a leaky ReLU falls with the slope ``leak``."""
    c["out"] = derived(phi, leak).function(z)  # the shape of z
    return c["out"]


def backward(phi: str, z: Float[Array, "*shape"], c: Any, d: Any, leak: float = LEAK) -> Float[Array, "*shape"]:
    """Return what z receives: an entry touches only its own function value, so the two multiply entry by entry."""
    return d["out"] * derived(phi, leak).derivative(z, c["out"])  # the shape of z


class Derived(NamedTuple):
    """A function and its local derivative."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    """Of z and a: the tests hold it against the slope of the function."""


def relu(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """max(z, 0), as z [z > 0]: a product takes a tenth of the time of a choice between two."""
    return z * above_zero(z)


def relu_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """[z > 0]: 0 at the kink z = 0."""
    return above_zero(z)


def above_zero(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """[z > 0]: one or zero."""
    return namespace(z).astype(z > 0, z.dtype)


def tanh(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Hyperbolic tangent."""
    return namespace(z).tanh(z)


def tanh_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """1 − a²."""
    return 1 - a * a


def sigmoid(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """1 / (1 + exp(−z)), as (1 + tanh(z/2)) / 2, which overflows for no z."""
    return (1 + namespace(z).tanh(z / 2)) / 2


def sigmoid_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """a (1 − a)."""
    return a * (1 - a)


def identity(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Hand z on."""
    return z


def identity_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """1."""
    return namespace(z).ones_like(z)


def leaky_relu(leak: float) -> Derived:
    """z above 0, leak · z below: the derivative is 1 above 0, and leak below and at the kink z = 0."""

    def slope(z: Inexact[Array, "*shape"], a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:  # noqa: ARG001
        above = above_zero(z)
        return above + leak * (1 - above)

    return Derived(lambda z: z * slope(z, z), slope)


def silu(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """z σ(z)."""
    return z * sigmoid(z)


def silu_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """σ(z) + a (1 − σ(z)): the product rule, and σ' = σ (1 − σ)."""
    s = sigmoid(z)
    return s + a * (1 - s)


def gelu(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """z Φ(z), where Φ is the distribution of a standard normal number."""
    return z * normal_distribution(z)


def gelu_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """Φ(z) + z Φ'(z): Φ' is the normal density."""
    density = namespace(z).exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return normal_distribution(z) + z * density


def normal_distribution(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Φ(z)."""
    return (1 + special(z).erf(z / math.sqrt(2))) / 2


def gelu_tanh(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """z (1 + T(z)) / 2, where T(z) = tanh(√(2/π) (z + CUBIC z³)) stands for 2Φ(z) − 1."""
    return z * (1 + namespace(z).tanh(cubic(z))) / 2


def gelu_tanh_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """(1 + T + z (1 − T²) · slope of what T is the tanh of) / 2."""
    t = namespace(z).tanh(cubic(z))
    slope = math.sqrt(2 / math.pi) * (1 + 3 * CUBIC * z * z)
    return (1 + t + z * (1 - t * t) * slope) / 2


def cubic(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """√(2/π) (z + CUBIC z³)."""
    return math.sqrt(2 / math.pi) * (z + CUBIC * z * z * z)


FUNCTIONS = {
    "relu": Derived(relu, relu_derivative),
    "leaky_relu": leaky_relu(LEAK),
    "tanh": Derived(tanh, tanh_derivative),
    "sigmoid": Derived(sigmoid, sigmoid_derivative),
    "silu": Derived(silu, silu_derivative),
    "gelu": Derived(gelu, gelu_derivative),
    "gelu_tanh": Derived(gelu_tanh, gelu_tanh_derivative),
    "identity": Derived(identity, identity_derivative),
}


def derived(phi: str, leak: float) -> Derived:
    """Return the function of that name, and its local derivative."""
    return leaky_relu(leak) if phi == "leaky_relu" else FUNCTIONS[phi]
