"""For each evaluation a small input, and what its definition gives there."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from tests.gradparity_gradbench.definitions import (
    Numbers,
    ba,
    det,
    gmm,
    gradient,
    ht,
    jacobian,
    kmeans,
    llsq,
    lse,
    lstm,
    newton,
    ode,
    take,
)


def _flat(nested: Any) -> Numbers:
    return [number for part in nested for number in _flat(part)] if isinstance(nested, list) else [nested]


def _draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).tolist()


def _arranged(numbers: list[float], like: dict[str, Any]) -> dict[str, Any]:
    taken = iter(numbers)
    return {name: np.reshape(take(taken, np.size(array)), np.shape(array)).tolist() for name, array in like.items()}


def _gmm() -> tuple[Any, dict[str, Any]]:
    own = {"alpha": _draw(2), "mu": _draw(2, 3, seed=1), "q": _draw(2, 3, seed=2), "l": _draw(2, 3, seed=3)}
    given = {"d": 3, "k": 2, "n": 4, "x": _draw(4, 3, seed=4), "m": 2, "gamma": 1.25, **own}
    numbers = _flat(list(own.values()))
    found = gradient(lambda x: gmm(x, given), numbers)
    return given, {"objective": gmm(numbers, given).real, "jacobian": _arranged(found, own)}


def _kmeans() -> tuple[Any, dict[str, Any]]:
    points, centroids = _draw(9, 2), _draw(9, 2)[:3]
    direction = np.reshape(newton(_flat(centroids), points), (3, 2)).tolist()
    return {"points": points, "centroids": centroids}, {"cost": kmeans(_flat(centroids), points), "dir": direction}


def _lstm() -> tuple[Any, dict[str, Any]]:
    given = {"main_params": _draw(4, 8), "extra_params": _draw(3, 2), "state": _draw(4, 2), "sequence": _draw(4, 2)}
    numbers = _flat([given["main_params"], given["extra_params"]])
    found = gradient(lambda x: lstm(x, given), numbers)
    return given, {"objective": lstm(numbers, given).real, "jacobian": found}


def _ba() -> tuple[Any, dict[str, Any]]:
    camera, x, w, feature = _draw(11), [0.5, -0.25, 4.0], 0.75, [3.0, 5.0]
    n, m, p = 2, 3, 4
    numbers = [*camera, *x, w]
    errors, table = [each.real for each in ba(numbers, feature)], jacobian(lambda own: ba(own, feature), numbers)
    columns = [*range(11), *range(11 * n, 11 * n + 3), 11 * n + 3 * m]
    sent = {
        "rows": [*range(0, 2 * p * 15 + 1, 15), *(2 * p * 15 + i for i in range(1, p + 1))],
        "cols": [*columns, *columns, 11 * n + 3 * m + p - 1],
        "vals": [*table[0], *table[1], table[2, 14]],
    }
    given = {"n": n, "m": m, "p": p, "cam": camera, "x": x, "w": w, "feat": feature}
    objective = {
        "reproj_error": {"elements": errors[:2], "repeated": p},
        "w_err": {"element": errors[2], "repeated": p},
    }
    # The columns of the second observation begin at 30 entries; rows are fewer than those that are sent.
    return given, {"objective": objective, "jacobian": {**sent, "rows": [*sent["rows"], sent["rows"][-1]]}}


def hand(*, on_triangles: bool) -> tuple[Any, dict[str, Any]]:
    bones = 22
    rng = np.random.default_rng(2)
    frames = np.tile(np.eye(4), (bones, 1, 1))
    frames[:, :3] += rng.normal(0, 0.3, (bones, 3, 4))
    model = {
        "bone_count": bones,
        "bone_names": [str(i) for i in range(bones)],
        "parents": [-1, *(0 if i % 4 == 0 else i for i in range(bones - 2)), 0],
        "base_relatives": frames.tolist(),
        "inverse_base_absolutes": frames[::-1].tolist(),
        "base_positions": [[*rng.normal(size=3), 1.0] for _ in range(5)],
        "weights": rng.uniform(size=(5, bones)).tolist(),
        "triangles": [[0, 1, 2], [4, 2, 3]],
        "is_mirrored": on_triangles,
    }
    theta, us = _draw(26), _draw(3, 2) if on_triangles else []
    data = {"model": model, "correspondences": [1, 0, 1], "points": _draw(3, 3)}
    given = {"theta": theta, "data": data, "us": us}
    numbers = [*theta, *_flat(us)]
    table = jacobian(lambda own: ht(own, given), numbers)
    if on_triangles:
        own = np.stack([table[np.arange(9), 26 + 2 * (np.arange(9) // 3) + i] for i in range(2)], axis=1)
        table = np.concatenate([own, table[:, :26]], axis=1)
    return given, {"objective": [each.real for each in ht(numbers, given)], "jacobian": table.tolist()}


def _stops(given: Any, at: Any) -> tuple[Any, dict[str, Any]]:
    return given, dict.fromkeys(("rr", "ff", "fr", "rf"), at)


GOLDEN: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "hello": lambda: (1.5, {"square": 2.25, "double": 3.0}),
    "llsq": lambda: (
        {"x": _draw(7), "n": 9},
        {"primal": llsq(_draw(7), 9), "gradient": gradient(lambda x: llsq(x, 9), _draw(7))},
    ),
    "lse": lambda: ({"x": _draw(5)}, {"primal": lse(_draw(5)).real, "gradient": gradient(lse, _draw(5))}),
    "gmm": _gmm,
    "kmeans": _kmeans,
    "det": lambda: (
        {"A": _draw(16), "ell": 4},
        {
            "primal": det(np.reshape(_draw(16), (4, 4))),
            "gradient": gradient(lambda x: det(np.reshape(x, (4, 4))), _draw(16)),
        },
    ),
    "ode": lambda: (
        {"x": _draw(10), "s": 3},
        {"primal": ode(_draw(10), 3), "gradient": gradient(lambda x: ode(x, 3)[-1], _draw(10))},
    ),
    "lstm": _lstm,
    "ba": _ba,
    "ht": lambda: hand(on_triangles=True),
    # What GradBench's own programs expect, of every variant.
    "saddle": lambda: _stops({"start": [1.0, 1.0]}, [8.246324826140356e-06] * 4),
    "particle": lambda: _stops({"w": 0.0}, 0.2071918746486116),
}


@cache
def golden(module: str) -> tuple[Any, dict[str, Any]]:
    """Return an input, and the output of each function there."""
    return GOLDEN[module]()
