"""Rotations by a vector, its direction the axis and its length the angle, and their derivative in the vector.

Sources: O. Rodrigues (1840) for R = cos θ I + sin θ [u]× + (1 − cos θ) u uᵀ; G. Gallego, A. Yezzi, A Compact Formula
for the Derivative of a 3-D Rotation in Exponential Coordinates (2015), arXiv:1312.0788, equation 9.
"""

from typing import Any

from jaxtyping import Float, Inexact

from gradparity.protocol import Array
from gradparity_manual.operations import namespace


def rotation(v: Inexact[Array, "*n 3"], smallest: float = 0.0) -> Inexact[Array, "*n 3 3"]:
    """Return R; where the angle is at most ``smallest``, the identity, and at 0 without one what I + [v]× is."""
    angle, axis, turned = _angle_and_axis(v, smallest)
    xp = namespace(v)
    s, c = xp.sin(angle)[..., None, None], xp.cos(angle)[..., None, None]  # (…, 1, 1)
    R = c * _identity(v) + s * cross_matrix(axis) + (1 - c) * axis[..., :, None] * axis[..., None, :]
    still = _identity(v) + (cross_matrix(v) if smallest == 0.0 else 0 * R)
    return xp.where(turned[..., None, None], R, still)


def rotation_derivatives(v: Float[Array, "*n 3"], smallest: float = 0.0) -> Float[Array, "*n 3 3 3"]:
    """Return ∂R/∂vₖ, k the first of the three new axes: (vₖ [v]× + [v × (I − R) eₖ]×) R / θ².

    At 0 it is [eₖ]×; where ``smallest`` makes R constant, it is zero.
    """
    xp = namespace(v)
    R = rotation(v, smallest)
    angle, _, turned = _angle_and_axis(v, smallest)
    moved = xp.swapaxes(cross_matrix(v) @ (_identity(v) - R), -1, -2)  # (…, 3, 3): v × (I − R) eₖ in row k
    generators = v[..., :, None, None] * cross_matrix(v)[..., None, :, :] + cross_matrix(moved)  # (…, 3, 3, 3)
    found = generators @ R[..., None, :, :] / (angle**2)[..., None, None, None]
    still = cross_matrix(_identity(v)) if smallest == 0.0 else 0.0
    return xp.where(turned[..., None, None, None], found, still + 0 * found)


def turning(v: Float[Array, "*n 3"]) -> Float[Array, "*n 3 3"]:
    """Return J = (sin θ/θ) I + (1 − sin θ/θ) u uᵀ + ((1 − cos θ)/θ) [u]×: a change δv turns by J δv, δR = [J δv]× R.

    At 0 it is I. Source: T. Barfoot, State Estimation for Robotics (2017), equation 7.77a.
    """
    angle, axis, turned = _angle_and_axis(v, 0.0)
    xp = namespace(v)
    size = angle[..., None, None]  # (…, 1, 1)
    straight = xp.sin(size) / size
    outer = axis[..., :, None] * axis[..., None, :]  # (…, 3, 3)
    J = straight * _identity(v) + (1 - straight) * outer + (1 - xp.cos(size)) / size * cross_matrix(axis)
    return xp.where(turned[..., None, None], J, _identity(v))


def cross_matrix(v: Inexact[Array, "*n 3"]) -> Inexact[Array, "*n 3 3"]:
    """Return [v]×, with which a product is v × …."""
    xp = namespace(v)
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    o = xp.zeros_like(x)
    return xp.reshape(xp.stack([o, -z, y, z, o, -x, -y, x, o], axis=-1), (*v.shape, 3))


def _angle_and_axis(v: Any, smallest: float) -> tuple[Any, Any, Any]:
    """Return θ, v / θ and where that is more than ``smallest``; elsewhere θ is 1, so that nothing is divided by zero.

    The square root is taken of the replaced square: autodiff of it at 0 is infinite, and infinity times 0 NaN.
    """
    xp = namespace(v)
    square = xp.sum(v**2, axis=-1)  # (…,)
    turned = xp.real(square) > smallest**2
    angle = xp.sqrt(xp.where(turned, square, xp.ones_like(square)))
    return angle, v / angle[..., None], turned


def _identity(v: Array) -> Array:
    return namespace(v).eye(3, dtype=v.dtype)
