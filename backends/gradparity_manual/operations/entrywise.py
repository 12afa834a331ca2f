"""Functions that act on each entry alone, φ, and their local derivatives φ'(z), which may be written with a = φ(z)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(phi: str, z: Inexact[Array, "*shape"], c: Any) -> Inexact[Array, "*shape"]:
    """out = φ(z), by the function's name."""
    c["out"] = FUNCTIONS[phi].function(z)  # the shape of z
    return c["out"]


def backward(phi: str, z: Float[Array, "*shape"], c: Any, d: Any) -> Float[Array, "*shape"]:
    """Return what z receives: an entry touches only its own function value, so the two multiply entry by entry."""
    return d["out"] * FUNCTIONS[phi].derivative(z, c["out"])  # the shape of z


class Entrywise(NamedTuple):
    """A function and its local derivative."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    """Of z and a: the tests hold it against the slope of the function."""


def relu(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """max(z, 0)."""
    xp = namespace(z)
    return xp.where(z > 0, z, xp.zeros_like(z))


def relu_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """[z > 0]: 0 at the kink z = 0."""
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


FUNCTIONS = {
    "relu": Entrywise(relu, relu_derivative),
    "tanh": Entrywise(tanh, tanh_derivative),
    "sigmoid": Entrywise(sigmoid, sigmoid_derivative),
    "identity": Entrywise(identity, identity_derivative),
}
