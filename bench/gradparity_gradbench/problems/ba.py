"""ba: bundle adjustment, how far 3-D points seen by cameras are from where they were seen, and the sparse Jacobian.

Sources: GradBench, evals/ba; F. Šrajer, Z. Kukelova, A. Fitzgibbon, A Benchmark of Selected Algorithmic Differentiation
Tools (2018), arXiv:1807.10129, section 4.2. A camera is a rotation vector, a centre, a focal length, a principal point
and two coefficients of radial distortion, in this order: R (X − C), divided by its depth, is distorted by
1 + k₁ r² + k₂ r⁴, scaled and moved. An error is weighted by w, and 1 − w² keeps the weights from zero.

Each observation has one camera, one point and one weight, so a row of the Jacobian has fifteen entries.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Inexact

from gradparity.protocol import Array, Batch, Params
from gradparity_gradbench.problem import BACKENDS, HAND, NOTHING, Function, Problem, by
from gradparity_gradbench.rotations import rotation, rotation_derivatives
from gradparity_manual.operations import namespace

CAMERA, POINT = 11, 3
BLOCK = CAMERA + POINT + 1
SHOWN = 2 * BLOCK
"""Entries of the Jacobian that are sent, and its last: GradBench's inputs repeat one observation."""


class Seen(NamedTuple):
    """What a camera makes of a point."""

    offset: Inexact[Array, "p 3"]
    """X − C."""
    place: Inexact[Array, "p 3"]
    """Turned: R (X − C)."""
    flat: Inexact[Array, "p 2"]
    """Divided by its depth."""
    square: Inexact[Array, "p 1"]
    """r²."""
    factor: Inexact[Array, "p 1"]
    """1 + k₁ r² + k₂ r⁴."""
    projected: Inexact[Array, "p 2"]


def project(cameras: Inexact[Array, "p 11"], rotations: Inexact[Array, "p 3 3"], points: Inexact[Array, "p 3"]) -> Seen:
    """Return the steps from points to pixels, each point in its camera."""
    xp = namespace(points)
    offset = points - cameras[:, 3:6]
    place = xp.sum(rotations * offset[:, None, :], axis=2)
    flat = place[:, :2] / place[:, 2:]
    square = xp.sum(flat**2, axis=1, keepdims=True)
    factor = 1 + cameras[:, 9:10] * square + cameras[:, 10:11] * square**2
    return Seen(offset, place, flat, square, factor, cameras[:, 6:7] * factor * flat + cameras[:, 7:9])


def objective(p: Params, batch: Batch) -> tuple[Array, Array]:
    """Return the weighted errors (p, 2), and 1 − w² (p,)."""
    seen = _seen(p, batch, rotation(p["cameras"][:, :3]))
    return p["w"][:, None] * (seen.projected - batch.x), 1 - p["w"] ** 2


def jacobian(p: Params, batch: Batch) -> dict[str, Array]:
    """Return the Jacobian in compressed rows, each block by hand."""
    return sparse(blocks(p, batch), -2 * p["w"], p, batch)


def blocks(p: Params, batch: Batch) -> Float[Array, "p 2 15"]:
    """Return the derivative of each weighted error in its camera, point and weight.

    The rotation of a camera and its derivative are computed once for all that it sees.
    """
    xp = namespace(p["w"])
    camera = batch.extras["camera"]
    vectors = p["cameras"][:, :3]
    R = xp.take(rotation(vectors), camera, axis=0)  # (p, 3, 3)
    dR = xp.take(rotation_derivatives(vectors), camera, axis=0)  # (p, 3, 3, 3)
    cameras = xp.take(p["cameras"], camera, axis=0)  # (p, 11)
    seen = _seen(p, batch, rotation(vectors))
    f, k1, k2, w = cameras[:, 6, None], cameras[:, 9, None], cameras[:, 10, None], p["w"][:, None]  # (p, 1)
    identity = xp.eye(2, dtype=w.dtype)
    of_square = k1 + 2 * k2 * seen.square  # (p, 1): the factor's derivative
    of_flat = seen.factor[:, :, None] * identity + seen.flat[:, :, None] * (2 * of_square * seen.flat)[:, None, :]
    of_flat = (w * f)[:, :, None] * of_flat  # (p, 2, 2)
    by_depth = of_flat / seen.place[:, 2, None, None]  # (p, 2, 2)
    of_depth = -xp.sum(by_depth * seen.flat[:, None, :], axis=2)  # (p, 2)
    of_place = xp.concat([by_depth, of_depth[:, :, None]], axis=2)  # (p, 2, 3)
    turned = xp.sum(dR * seen.offset[:, None, None, :], axis=3)  # (p, 3, 3): ∂R/∂vₖ (X − C) in row k
    of_rotation = of_place @ xp.swapaxes(turned, 1, 2)  # (p, 2, 3)
    of_point = of_place @ R  # (p, 2, 3)
    of_focal = w * seen.factor * seen.flat  # (p, 2)
    of_principal = w[:, :, None] * identity  # (p, 2, 2)
    of_k1 = w * f * seen.square * seen.flat  # (p, 2)
    of_w = seen.projected - batch.x  # (p, 2)
    columns = [of_focal[:, :, None], of_principal, of_k1[:, :, None], (seen.square * of_k1)[:, :, None]]
    return xp.concat([of_rotation, -of_point, *columns, of_point, of_w[:, :, None]], axis=2)


def sparse(own: Float[Array, "p 2 15"], of_w: Float[Array, " p"], p: Params, batch: Batch) -> dict[str, Array]:
    """Put the blocks into compressed rows: where each row starts, and the columns and values of its entries.

    First the two rows of each observation, then the row of each weight. The columns are those of all cameras, points
    and weights.
    """
    xp = namespace(own)
    camera, point = batch.extras["camera"], batch.extras["point"]
    (n, _), (m, _), count = p["cameras"].shape, p["points"].shape, of_w.shape[0]
    weight = xp.arange(count, dtype=camera.dtype) + (CAMERA * n + POINT * m)  # (p,)
    row = xp.concat(
        [
            CAMERA * camera[:, None] + xp.arange(CAMERA, dtype=camera.dtype),
            CAMERA * n + POINT * point[:, None] + xp.arange(POINT, dtype=camera.dtype),
            weight[:, None],
        ],
        axis=1,
    )  # (p, 15)
    both = xp.reshape(xp.stack([row, row], axis=1), (-1,))
    starts = [
        BLOCK * xp.arange(2 * count + 1, dtype=camera.dtype),
        2 * BLOCK * count + 1 + xp.arange(count, dtype=camera.dtype),
    ]
    return {
        "rows": xp.concat(starts),
        "cols": xp.concat([both, weight]),
        "vals": xp.concat([xp.reshape(own, (-1,)), of_w]),
    }


def _seen(p: Params, batch: Batch, rotations: Array) -> Seen:
    xp = namespace(rotations)
    camera, point = batch.extras["camera"], batch.extras["point"]
    own, turned = (xp.take(array, camera, axis=0) for array in (p["cameras"], rotations))
    return project(own, turned, xp.take(p["points"], point, axis=0))


def _error(camera: Array, point: Array, w: Array, feature: Array) -> Array:
    """The weighted error of one observation, for a machine."""
    seen = project(camera[None], rotation(camera[None, :3]), point[None])
    return w * (seen.projected[0] - feature)


def _by_machine(mapped: Callable[[Callable[..., Any], int], Callable[..., Any]]) -> Callable[[Params, Batch], Any]:
    """Return the way in which a machine derives each block; ``mapped`` differentiates in the first few arguments."""

    def way(p: Params, batch: Batch) -> dict[str, Array]:
        xp = namespace(p["w"])
        cameras = xp.take(p["cameras"], batch.extras["camera"], axis=0)
        points = xp.take(p["points"], batch.extras["point"], axis=0)
        of_camera, of_point, of_w = mapped(_error, 3)(cameras, points, p["w"], batch.x)
        own = xp.concat([of_camera, of_point, of_w[:, :, None]], axis=2)
        (of_weight,) = mapped(lambda w: 1 - w**2, 1)(p["w"])
        return sparse(own, of_weight, p, batch)

    return way


def _mapped_by_jax(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    import jax

    return jax.vmap(jax.jacrev(f, argnums=tuple(range(count))))


def _mapped_by_torch(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    import torch

    found: Callable[..., Any] = torch.func.vmap(torch.func.jacrev(f, argnums=tuple(range(count))))
    return found


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Repeat the camera, the point and the observation as often as the input says."""
    n, m, count = given["n"], given["m"], given["p"]
    p = {
        "cameras": np.tile(np.asarray(given["cam"], dtype=np.float64), (n, 1)),
        "points": np.tile(np.asarray(given["x"], dtype=np.float64), (m, 1)),
        "w": np.full(count, float(given["w"])),
    }
    numbers = np.arange(count, dtype=np.int32)
    features = np.tile(np.asarray(given["feat"], dtype=np.float64), (count, 1))
    return p, Batch(features, NOTHING, {"camera": numbers % n, "point": numbers % m})


def _objective_answer(found: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    errors, weights = found
    return {
        "reproj_error": {"elements": errors[0].tolist(), "repeated": len(errors)},
        "w_err": {"element": float(weights[0]), "repeated": len(weights)},
    }


def _jacobian_answer(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: [*array[:SHOWN].tolist(), array[-1].item()] for name, array in found.items()}


PROBLEM = Problem(
    read,
    {
        "objective": Function(by(BACKENDS, objective), _objective_answer),
        "jacobian": Function(
            by(HAND, jacobian) | {"jax": _by_machine(_mapped_by_jax), "torch": _by_machine(_mapped_by_torch)},
            _jacobian_answer,
        ),
    },
)
