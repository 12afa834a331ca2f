"""The sigmoid cross-entropy of each example, summed over its outputs, with the reduction left to the model.

With the probability σ(z) of a 1, −y log σ(z) − (1 − y) log(1 − σ(z)) is log(1 + exp(z)) − y z:
C. Bishop, Pattern Recognition and Machine Learning (2006), equations 4.90 and 4.91.
"""

from jaxtyping import Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import namespace
from gradparity_manual.operations.entrywise import sigmoid


def forward(z: Inexact[Array, "n outputs"], y: Inexact[Array, "n outputs"]) -> Inexact[Array, " n"]:
    """Σₖ log(1 + exp(zₖ)) − yₖ zₖ of each example."""
    return (log_one_plus_exp(z) - y * z).sum(axis=1)  # (n,)


def backward(z: Float[Array, "n outputs"], y: Float[Array, "n outputs"]) -> Float[Array, "n outputs"]:
    """σ(z) − y: the gradient of each example's cross-entropy with respect to its own row of z."""
    return sigmoid(z) - y  # (n, outputs)


def log_one_plus_exp(z: Inexact[Array, "n outputs"]) -> Inexact[Array, "n outputs"]:
    """log(1 + exp(z)), as max(z, 0) + log(1 + exp(−|z|)), which overflows for no z."""
    xp = namespace(z)
    positive = z > 0
    return xp.where(positive, z, xp.zeros_like(z)) + xp.log1p(xp.exp(xp.where(positive, -z, z)))
