"""The functions that derivations are made of, in array-API style; each derivative stands beside its function.

What a forward pass uses takes complex numbers as well: a check measures the loss by complex steps.
"""

from collections.abc import Callable
from typing import NamedTuple

from array_api_compat import array_namespace
from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array


def by_class(z: Inexact[Array, "n classes"]) -> Inexact[Array, "classes n"]:
    """z transposed, and laid out so: reductions over a few classes then run along memory, several times faster."""
    return z.T.reshape(-1).reshape(z.T.shape)


def log_sum_exp(z: Inexact[Array, "n classes"]) -> Inexact[Array, " n"]:
    """log Σₖ exp(zₖ) of each row, shifted by the row's maximum so that no exponential overflows."""
    xp = array_namespace(z)
    z = by_class(z)
    top = xp.max(z, axis=0)
    return xp.log(xp.exp(z - top).sum(axis=0)) + top


def softmax(z: Float[Array, "n classes"]) -> Float[Array, "n classes"]:
    """exp(zₖ) / Σⱼ exp(zⱼ) of each row: the gradient of log-sum-exp."""
    xp = array_namespace(z)
    z = by_class(z)
    e = xp.exp(z - xp.max(z, axis=0))
    return (e / e.sum(axis=0)).T


def cross_entropy(z: Inexact[Array, "n classes"], y: Int[Array, " n"]) -> Inexact[Array, " n"]:
    """−log softmax(z)[y] of each example; its gradient with respect to z is softmax(z) − one_hot(y)."""
    xp = array_namespace(z)
    return log_sum_exp(z) - z[xp.arange(z.shape[0]), y]


def one_hot(y: Int[Array, " n"], like: Float[Array, "n classes"]) -> Float[Array, "n classes"]:
    """1 in column y of each row, 0 elsewhere, in the shape and dtype of ``like``."""
    xp = array_namespace(like)
    return xp.astype(xp.arange(like.shape[1])[:, None] == y, like.dtype).T


class Activation(NamedTuple):
    """An entrywise function φ and its local derivative φ'(z), which may be written with a = φ(z)."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def relu(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """max(z, 0)."""
    xp = array_namespace(z)
    return xp.where(z > 0, z, xp.zeros_like(z))


def relu_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """[z > 0]: 0 at the kink z = 0."""
    return array_namespace(z).astype(z > 0, z.dtype)


def tanh(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Hyperbolic tangent."""
    return array_namespace(z).tanh(z)


def tanh_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """1 − a²."""
    return 1 - a * a


def sigmoid(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """1 / (1 + exp(−z)), as (1 + tanh(z/2)) / 2, which overflows for no z."""
    return (1 + array_namespace(z).tanh(z / 2)) / 2


def sigmoid_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """a (1 − a)."""
    return a * (1 - a)


def identity(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Return z."""
    return z


def identity_derivative(z: Float[Array, "*shape"], a: Float[Array, "*shape"]) -> Float[Array, "*shape"]:  # noqa: ARG001
    """1."""
    return array_namespace(z).ones_like(z)


ACTIVATIONS = {
    "relu": Activation(relu, relu_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(identity, identity_derivative),
}
