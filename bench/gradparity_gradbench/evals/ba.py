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
from gradparity_gradbench.eval import BACKENDS, HAND, NOTHING, Eval, Function, by
from gradparity_gradbench.rotations import rotation, turning
from gradparity_manual.operations import namespace

CAMERA, POINT = 11, 3
BLOCK = CAMERA + POINT + 1
SHOWN = 2 * BLOCK
"""Entries of the Jacobian that are sent, and its last: GradBench's inputs repeat one observation."""


class Seen(NamedTuple):
    """What a camera makes of a point; the numbers of all p observations lie beside each other, component by component.

    A sum over three components is then a few long additions, and not many short ones.
    """

    offset: Inexact[Array, "3 *p"]
    """X − C."""
    place: Inexact[Array, "3 *p"]
    """Turned: R (X − C)."""
    flat: Inexact[Array, "2 *p"]
    """Divided by its depth."""
    square: Inexact[Array, "*p"]
    """r²."""
    factor: Inexact[Array, "*p"]
    """1 + k₁ r² + k₂ r⁴."""
    projected: Inexact[Array, "2 *p"]


def project(
    cameras: Inexact[Array, "11 *p"], rotations: Inexact[Array, "3 3 *p"], points: Inexact[Array, "3 *p"]
) -> Seen:
    """Return the steps from points to pixels, each point in its camera."""
    offset = points - cameras[3:6]
    place = _turned(rotations, offset)
    flat = place[:2] / place[2]
    square = flat[0] * flat[0] + flat[1] * flat[1]
    factor = 1 + cameras[9] * square + cameras[10] * square * square
    return Seen(offset, place, flat, square, factor, cameras[6] * factor * flat + cameras[7:9])


def _turned(R: Inexact[Array, "3 3 *p"], offset: Inexact[Array, "3 *p"]) -> Inexact[Array, "3 *p"]:
    """R times each offset: of many, three long additions; of one, the product that a machine derives best."""
    if offset.ndim == 1:
        return R @ offset
    return R[:, 0] * offset[0] + R[:, 1] * offset[1] + R[:, 2] * offset[2]


def objective(p: Params, batch: Batch) -> tuple[Array, Array]:
    """Return the weighted errors (2, p), and 1 − w² (p,)."""
    seen = project(*_observed(p, batch, _first(rotation(p["cameras"][:, :3]))))
    return p["w"] * (seen.projected - batch.x.T), 1 - p["w"] * p["w"]


def jacobian(p: Params, batch: Batch) -> dict[str, Array]:
    """Return the Jacobian in compressed rows, each block by hand."""
    return sparse(blocks(p, batch), -2 * p["w"], p, batch)


def blocks(p: Params, batch: Batch) -> Float[Array, "p 30"]:
    """Return the derivative of both weighted errors in their camera, point and weight.

    The rotation of a camera, and what turns it, are computed once for all that it sees.
    """
    xp, w = namespace(p["w"]), p["w"]
    vectors = p["cameras"][:, :3]
    cameras, R, points = _observed(p, batch, _first(rotation(vectors)))  # (11, p), (3, 3, p), (3, p)
    J = xp.take(_first(turning(vectors)), batch.extras["camera"], axis=2)  # (3, 3, p)
    seen = project(cameras, R, points)
    f, k1, k2 = cameras[6], cameras[9], cameras[10]  # (p,)
    of_square = k1 + 2 * k2 * seen.square  # (p,): the factor's derivative
    identity = xp.eye(2, dtype=w.dtype)[:, :, None]
    of_flat = seen.factor * identity + seen.flat[:, None] * (2 * of_square * seen.flat)  # (2, 2, p)
    by_depth = w * f / seen.place[2] * of_flat  # (2, 2, p)
    of_depth = -(by_depth[:, 0] * seen.flat[0] + by_depth[:, 1] * seen.flat[1])  # (2, p)
    of_place = xp.concat([by_depth, of_depth[:, None]], axis=1)  # (2, 3, p)
    of_point = _times(of_place, R)  # (2, 3, p)
    # A change of v turns by ω = J δv, which moves the place by ω × place: the triple product gives place × of_place.
    of_rotation = _times(_cross(seen.place, of_place), J)  # (2, 3, p)
    of_focal = w * seen.factor * seen.flat  # (2, p)
    of_principal = w * identity  # (2, 2, p)
    of_k1 = w * f * seen.square * seen.flat  # (2, p)
    of_k2 = seen.square * of_k1  # (2, p)
    of_w = seen.projected - batch.x.T  # (2, p)
    rows = [
        [*of_rotation[e], *-of_point[e], of_focal[e], *of_principal[e], of_k1[e], of_k2[e], *of_point[e], of_w[e]]
        for e in range(2)
    ]
    return xp.stack(rows[0] + rows[1], axis=1)


def _times(rows: Array, matrix: Array) -> Float[Array, "2 3 p"]:
    """Each row times each observation's matrix."""
    return rows[:, 0, None] * matrix[0] + rows[:, 1, None] * matrix[1] + rows[:, 2, None] * matrix[2]


def _cross(a: Array, rows: Array) -> Float[Array, "2 3 p"]:
    """a × each row."""
    (x, y, z), (u, v, w) = a, (rows[:, i] for i in range(3))
    return namespace(rows).stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def sparse(own: Float[Array, "p 30"], of_w: Float[Array, " p"], p: Params, batch: Batch) -> dict[str, Array]:
    """Put the blocks into compressed rows: where each row starts, and the columns and values of its entries.

    First the two rows of each observation, then the row of each weight. The columns are those of all cameras, points
    and weights.
    """
    xp = namespace(own)
    camera, point = batch.extras["camera"], batch.extras["point"]
    (n, _), (m, _), count = p["cameras"].shape, p["points"].shape, of_w.shape[0]
    weight = xp.arange(count, dtype=camera.dtype) + (CAMERA * n + POINT * m)  # (p,)
    row = [
        CAMERA * camera[:, None] + xp.arange(CAMERA, dtype=camera.dtype),
        CAMERA * n + POINT * point[:, None] + xp.arange(POINT, dtype=camera.dtype),
        weight[:, None],
    ]  # 15 columns, of both errors the same
    both = xp.reshape(xp.concat(row + row, axis=1), (-1,))
    starts = [
        BLOCK * xp.arange(2 * count + 1, dtype=camera.dtype),
        2 * BLOCK * count + 1 + xp.arange(count, dtype=camera.dtype),
    ]
    return {
        "rows": xp.concat(starts),
        "cols": xp.concat([both, weight]),
        "vals": xp.concat([xp.reshape(own, (-1,)), of_w]),
    }


def _first(matrices: Inexact[Array, "n 3 3"]) -> Inexact[Array, "3 3 n"]:
    return namespace(matrices).permute_dims(matrices, (1, 2, 0))


def _observed(p: Params, batch: Batch, rotations: Inexact[Array, "3 3 n"]) -> tuple[Array, Array, Array]:
    """Return the camera, its rotation and the point of each observation, component by component."""
    xp = namespace(rotations)
    camera, point = batch.extras["camera"], batch.extras["point"]
    return (
        xp.take(p["cameras"].T, camera, axis=1),
        xp.take(rotations, camera, axis=2),
        xp.take(p["points"].T, point, axis=1),
    )


def _error(camera: Array, point: Array, w: Array, feature: Array) -> Array:
    """The weighted error of one observation, for a machine."""
    return w * (project(camera, rotation(camera[:3]), point).projected - feature)


def _by_machine(mapped: Callable[[Callable[..., Any], int], Callable[..., Any]]) -> Callable[[Params, Batch], Any]:
    """Return the way in which a machine derives each block; ``mapped`` differentiates in the first few arguments."""

    def way(p: Params, batch: Batch) -> dict[str, Array]:
        xp = namespace(p["w"])
        cameras = xp.take(p["cameras"], batch.extras["camera"], axis=0)
        points = xp.take(p["points"], batch.extras["point"], axis=0)
        of_camera, of_point, of_w = mapped(_error, 3)(cameras, points, p["w"], batch.x)
        own = xp.reshape(xp.concat([of_camera, of_point, of_w[:, :, None]], axis=2), (-1, 2 * BLOCK))
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
        "reproj_error": {"elements": errors[:, 0].tolist(), "repeated": errors.shape[1]},
        "w_err": {"element": float(weights[0]), "repeated": len(weights)},
    }


def _jacobian_answer(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {name: [*array[:SHOWN].tolist(), array[-1].item()] for name, array in found.items()}


EVAL = Eval(
    read,
    {
        "objective": Function(by(BACKENDS, objective), _objective_answer),
        "jacobian": Function(
            by(HAND, jacobian) | {"jax": _by_machine(_mapped_by_jax), "torch": _by_machine(_mapped_by_torch)},
            _jacobian_answer,
        ),
    },
)
