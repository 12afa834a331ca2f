"""The cross-entropy of each next token: logits (n, length, vocabulary), tokens (n, length), summed over positions."""

from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array
from gradparity_manual.operations import cross_entropy, in_rows


def forward(z: Inexact[Array, "n length vocabulary"], y: Int[Array, "n length"]) -> Inexact[Array, ""]:
    """Σᵢₜ −log softmax(zᵢₜ)[yᵢₜ]; the reduction is the model's."""
    return cross_entropy.forward(in_rows(z), y.reshape(-1)).sum()  # ()


def backward(z: Float[Array, "n length vocabulary"], y: Int[Array, "n length"]) -> Float[Array, "n length vocabulary"]:
    """P − Y at every position."""
    return cross_entropy.backward(in_rows(z), y.reshape(-1)).reshape(z.shape)
