"""The softmax cross-entropy of each example, with the reduction over them left to the model.

The cross-entropy is −log softmax(z)[y] = log Σₖ exp(zₖ) − z[y]. Log-sum-exp has gradient softmax, the picked entry has
gradient one-hot, so the whole has P − Y: C. Bishop, Pattern Recognition and Machine Learning (2006), equation 4.108.
"""

from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def forward(z: Inexact[Array, "n classes"], y: Int[Array, " n"]) -> Inexact[Array, " n"]:
    """−log softmax(z)[y] of each example."""
    xp = namespace(z)
    return log_sum_exp(z) - z[xp.arange(z.shape[0]), y]  # (n,)


def backward(z: Float[Array, "n classes"], y: Int[Array, " n"]) -> Float[Array, "n classes"]:
    """P − Y: the gradient of each example's cross-entropy with respect to its own row of z."""
    return softmax(z) - one_hot(y, like=z)  # (n, classes)


def log_sum_exp(z: Inexact[Array, "n classes"]) -> Inexact[Array, " n"]:
    """log Σₖ exp(zₖ) of each row, shifted by the row's maximum so that no exponential overflows."""
    xp = namespace(z)
    z = by_class(z)  # (classes, n)
    top = xp.max(z, axis=0)  # (n,)
    return xp.log(xp.exp(z - top).sum(axis=0)) + top  # (n,)


def softmax(z: Float[Array, "n classes"]) -> Float[Array, "n classes"]:
    """exp(zₖ) / Σⱼ exp(zⱼ) of each row: the gradient of log-sum-exp."""
    xp = namespace(z)
    z = by_class(z)  # (classes, n)
    e = xp.exp(z - xp.max(z, axis=0))  # (classes, n)
    return (e / e.sum(axis=0)).T  # (n, classes)


def one_hot(y: Int[Array, " n"], like: Float[Array, "n classes"]) -> Float[Array, "n classes"]:
    """1 in column y of each row, 0 elsewhere, in the shape and dtype of ``like``."""
    xp = namespace(like)
    return xp.astype(xp.arange(like.shape[1])[:, None] == y, like.dtype).T  # (n, classes)


def by_class(z: Inexact[Array, "n classes"]) -> Inexact[Array, "classes n"]:
    """z transposed, and laid out so: reductions over a few classes then run along memory, several times faster."""
    turned = z.T
    return turned.reshape(-1).reshape(turned.shape)
