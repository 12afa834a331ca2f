"""ht: hand tracking, how far the points of a posed hand are from measured ones, and the dense Jacobian.

Sources: GradBench, evals/ht; F. Šrajer, Z. Kukelova, A. Fitzgibbon, A Benchmark of Selected Algorithmic Differentiation
Tools (2018), arXiv:1807.10129, section 4.3. Each bone turns in its parent's frame by two angles about its own axes; a
vertex is the weighted mean of where its bones would take it; then the whole hand turns and moves. A measured point lies
on a triangle, at coordinates u in it, or on a vertex.

The 26 numbers of a pose are a rotation vector, a translation, and of each finger two angles of its first bone that
moves and one of each of the next two. A rotation of less than 1e-4 counts as none, and has no derivative.

Shortcut: of the hand's vertices only those are posed that measured points lie on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact

from gradparity.protocol import Array, Batch, Params
from gradparity_gradbench.eval import BACKENDS, HAND, NOTHING, Eval, Function, Way, by
from gradparity_gradbench.rotations import rotation, rotation_derivatives
from gradparity_manual.operations import namespace

FINGERS = 5
ANGLES = 4
"""Of each finger."""
GLOBAL = 6
"""Numbers of the whole hand, before the angles."""
SMALLEST = 1e-4
"""Length below which a rotation vector turns nothing."""
X_ANGLES = np.array([[0, 2, 3]] * FINGERS) + ANGLES * np.arange(FINGERS)[:, None]
"""Which angles turn a finger's three bones about x; that after the first turns the first one about z."""


def objective(p: Params, batch: Batch) -> Array:
    """Return measured minus posed points, (points, 3)."""
    xp = namespace(p["theta"])
    own = _absolutes(p["theta"], batch)
    turned = rotation(p["theta"][:3], SMALLEST)
    placed = _skinned(own, batch) @ turned.T + p["theta"][3:GLOBAL]  # (vertices, 3)
    corners = xp.take(placed, xp.reshape(batch.extras["corners"], (-1,)), axis=0)
    return batch.x - _on_triangles(xp.reshape(corners, (*batch.extras["corners"].shape, 3)), p["us"])


def jacobian(p: Params, batch: Batch) -> Array:
    """Return the derivative of each coordinate in its own u, where there is one, and in the pose, (points, 3, …).

    By hand, forward: what each angle changes in each bone, from the wrist on; what that changes in each vertex, one
    matrix product for all; and what that is after the whole hand has turned.
    """
    xp = namespace(p["theta"])
    theta = p["theta"]
    own, along = _absolutes_along(theta, batch)
    local = _skinned(own, batch)  # (vertices, 3)
    turned = rotation(theta[:3], SMALLEST)
    of_rotation = xp.matmul(local, xp.swapaxes(rotation_derivatives(theta[:3], SMALLEST), 1, 2))  # (3, vertices, 3)
    of_translation = xp.broadcast_to(xp.eye(3, dtype=theta.dtype)[:, None, :], of_rotation.shape)
    of_angles = _skinned_along(along, batch) @ turned.T  # (angles, vertices, 3)
    placed = local @ turned.T + theta[3:GLOBAL]
    everything = xp.concat([placed[None], of_rotation, of_translation, of_angles])  # (1 + 26, vertices, 3)
    rows = xp.reshape(xp.permute_dims(everything, (1, 2, 0)), (placed.shape[0], -1))  # (vertices, 3 · 27)
    shape = batch.extras["corners"].shape
    corners = xp.reshape(xp.take(rows, xp.reshape(batch.extras["corners"], (-1,)), axis=0), (*shape, rows.shape[1]))
    of_pose = -xp.reshape(_on_triangles(corners, p["us"]), (shape[0], 3, -1))[:, :, 1:]  # (points, 3, 26)
    if p["us"].shape[0] == 0:
        return of_pose
    places = xp.reshape(corners, (shape[0], 3, 3, -1))[:, :, :, 0]  # (points, corners, 3)
    of_us = xp.stack([places[:, 2] - places[:, 0], places[:, 2] - places[:, 1]], axis=2)  # (points, 3, 2)
    return xp.concat([of_us, of_pose], axis=2)


def measured(way: Way) -> Way:
    """Return the same way with only the vertices that measured points lie on, where these are fewer than all."""

    def way_of_measured(p: Params, batch: Batch) -> Array:
        xp, extras = namespace(p["theta"]), batch.extras
        at = xp.reshape(extras["corners"], (-1,))
        if at.shape[0] >= extras["places"].shape[0]:
            return way(p, batch)
        own = {name: xp.take(extras[name], at, axis=0) for name in ("places", "weights")}
        own["corners"] = xp.reshape(xp.arange(at.shape[0], dtype=at.dtype), extras["corners"].shape)
        return way(p, batch._replace(extras={**extras, **own}))

    return way_of_measured


def _on_triangles(corners: Inexact[Array, "points corners k"], us: Inexact[Array, "own 2"]) -> Array:
    """Return the point at coordinates u in each triangle; without coordinates the only corner."""
    if us.shape[0] == 0:
        return corners[:, 0]
    u, v = us[:, :1], us[:, 1:]
    return u * corners[:, 0] + v * corners[:, 1] + (1 - u - v) * corners[:, 2]


def _turns(theta: Inexact[Array, " pose"]) -> tuple[Inexact[Array, "f 3 4 4"], Any]:
    """Return how each finger's bones turn, Rz Rx, and its derivatives in both angles."""
    xp = namespace(theta)
    angles = theta[GLOBAL:]
    x = xp.reshape(xp.take(angles, xp.asarray(X_ANGLES.reshape(-1)), axis=0), X_ANGLES.shape)  # (fingers, 3)
    first = xp.take(angles, xp.asarray(X_ANGLES[:, 0] + 1), axis=0)[:, None]  # (fingers, 1)
    z = xp.concat([first, xp.zeros((FINGERS, 2), dtype=theta.dtype)], axis=1)
    o, i = xp.zeros_like(x), xp.ones_like(x)
    sx, cx, sz, cz = xp.sin(x), xp.cos(x), xp.sin(z), xp.cos(z)

    def about_x(c: Array, s: Array, one: Array) -> Array:
        return xp.reshape(xp.stack([one, o, o, o, o, c, -s, o, o, s, c, o, o, o, o, one], axis=-1), (*x.shape, 4, 4))

    def about_z(c: Array, s: Array, one: Array) -> Array:
        return xp.reshape(xp.stack([c, -s, o, o, s, c, o, o, o, o, one, o, o, o, o, one], axis=-1), (*x.shape, 4, 4))

    Rx, Rz = about_x(cx, sx, i), about_z(cz, sz, i)
    return Rz @ Rx, (Rz @ about_x(-sx, cx, o), about_z(-sz, cz, o) @ Rx)


def _bone(number: int) -> tuple[int, int] | None:
    """Return the finger and the place in it of a bone that turns: of four bones of each finger the first does not."""
    finger, place = divmod(number - 1, 4)
    return (finger, place - 1) if 0 <= finger < FINGERS and place > 0 else None


def _absolutes(theta: Inexact[Array, " pose"], batch: Batch) -> Inexact[Array, "bones 4 4"]:
    """Return where each bone's frame goes: its parent's, its own at rest, and its turn."""
    xp = namespace(theta)
    turns, _ = _turns(theta)
    frames = [xp.eye(4, dtype=theta.dtype) + 0 * theta[0]]  # what the wrist stands in
    for number in range(batch.extras["parents"].shape[0]):
        frame = _parent(frames, number, batch) @ batch.extras["relatives"][number]
        bone = _bone(number)
        frames.append(frame if bone is None else frame @ turns[bone])
    return xp.stack(frames[1:])


def _absolutes_along(theta: Float[Array, " pose"], batch: Batch) -> tuple[Array, Float[Array, "bones angles 4 4"]]:
    """Return where each bone's frame goes, and how that changes with each angle."""
    xp = namespace(theta)
    turns, (of_x, of_z) = _turns(theta)
    count = FINGERS * ANGLES
    frames, along = [xp.eye(4, dtype=theta.dtype)], [xp.zeros((count, 4, 4), dtype=theta.dtype)]
    for number in range(batch.extras["parents"].shape[0]):
        at_rest = batch.extras["relatives"][number]
        frame, changes = _parent(frames, number, batch) @ at_rest, _parent(along, number, batch) @ at_rest
        bone = _bone(number)
        if bone is not None:
            finger, place = bone
            own = {X_ANGLES[bone]: frame @ of_x[bone]} | (
                {ANGLES * finger + 1: frame @ of_z[bone]} if place == 0 else {}
            )
            still = xp.zeros_like(frame)
            changes = changes @ turns[bone] + xp.stack([own.get(angle, still) for angle in range(count)])
            frame = frame @ turns[bone]
        frames.append(frame)
        along.append(changes)
    return xp.stack(frames[1:]), xp.stack(along[1:])


def _parent(made: list[Array], number: int, batch: Batch) -> Array:
    """Return what was made for a bone's parent; its number is −1 where that is the world, which comes first."""
    xp = namespace(made[0])
    return xp.take(xp.stack(made), batch.extras["parents"][number : number + 1] + 1, axis=0)[0]


def _skinned(absolutes: Inexact[Array, "bones 4 4"], batch: Batch) -> Inexact[Array, "vertices 3"]:
    """Return each vertex where its bones take it on the whole: one product with weight times place at rest."""
    return _skinned_along(absolutes[:, None], batch)[0]


def _skinned_along(absolutes: Inexact[Array, "bones k 4 4"], batch: Batch) -> Inexact[Array, "k vertices 3"]:
    xp = namespace(absolutes)
    bones, k = absolutes.shape[:2]
    moved = (absolutes @ batch.extras["inverses"][:, None])[:, :, :3]  # (bones, k, 3, 4)
    weighted = batch.extras["weights"][:, :, None] * batch.extras["places"][:, None, :]  # (vertices, bones, 4)
    columns = xp.reshape(xp.permute_dims(moved, (0, 3, 1, 2)), (4 * bones, 3 * k))
    found = xp.reshape(xp.reshape(weighted, (-1, 4 * bones)) @ columns, (-1, k, 3))
    mirrored = xp.stack([batch.extras["mirror"], batch.extras["mirror"] ** 2, batch.extras["mirror"] ** 2])
    return xp.permute_dims(found * mirrored, (1, 0, 2))


def jacobian_by_jax(p: Params, batch: Batch) -> Array:
    """Let JAX derive it in forward mode; each u changes its own point only, so all change at once."""
    import jax
    import jax.numpy as jnp

    of_pose = jax.jacfwd(lambda theta: objective({**p, "theta": theta}, batch))(p["theta"])
    return _with_us(lambda f, x, v: jax.jvp(f, (x,), (v,))[1], jnp, of_pose, p, batch)


def jacobian_by_torch(p: Params, batch: Batch) -> Array:
    """Let PyTorch derive it in the same way."""
    import torch

    of_pose = torch.func.jacfwd(lambda theta: objective({**p, "theta": theta}, batch))(p["theta"])
    return _with_us(lambda f, x, v: torch.func.jvp(f, (x,), (v,))[1], torch, of_pose, p, batch)


def _with_us(along: Callable[..., Array], xp: Any, of_pose: Array, p: Params, batch: Batch) -> Array:
    us = p["us"]
    if us.shape[0] == 0:
        return of_pose
    unit = xp.eye(2, dtype=us.dtype)
    of_us = [along(lambda own: objective({**p, "us": own}, batch), us, us * 0 + unit[i]) for i in range(2)]
    return xp.concatenate([xp.stack(of_us, -1), of_pose], 2)


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read the pose, the hand's model and the measured points."""
    model, data = given["data"]["model"], given["data"]
    us = np.reshape(np.asarray(given["us"], dtype=np.float64), (-1, 2))
    found = np.asarray(data["correspondences"], dtype=np.int32)
    corners = np.asarray(model["triangles"], dtype=np.int32)[found] if len(us) else found[:, None]
    names = {
        "relatives": "base_relatives",
        "inverses": "inverse_base_absolutes",
        "places": "base_positions",
        "weights": "weights",
    }
    extras: dict[str, np.ndarray] = {
        name: np.asarray(model[theirs], dtype=np.float64) for name, theirs in names.items()
    }
    extras |= {
        "parents": np.asarray(model["parents"], dtype=np.int32),
        "mirror": np.asarray(-1.0 if model["is_mirrored"] else 1.0),
        "corners": corners,
    }
    p = {"theta": np.asarray(given["theta"], dtype=np.float64), "us": us}
    return p, Batch(np.asarray(data["points"], dtype=np.float64), NOTHING, extras)


JACOBIANS = by(HAND, jacobian) | {"jax": jacobian_by_jax, "torch": jacobian_by_torch}
EVAL = Eval(
    read,
    {
        "objective": Function(
            by(BACKENDS, measured(objective)),
            lambda found: found.reshape(-1).tolist(),
            by(BACKENDS, objective),
        ),
        "jacobian": Function(
            {name: measured(way) for name, way in JACOBIANS.items()},
            lambda found: found.reshape(-1, found.shape[2]).tolist(),
            JACOBIANS,
        ),
    },
    shortcut="only vertices that measured points lie on are posed",
)
