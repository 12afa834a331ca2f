"""Each evaluation by its definition, one number at a time, and its derivative by complex steps: no autodiff, no array.

Re f is f to the last digit, and Im f(x + i h e) / h its derivative, without a difference of two numbers.
"""

import cmath
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

STEP = 1e-30
Numbers = list[Any]


def gradient(f: Callable[[Numbers], Any], x: Numbers) -> list[float]:
    """The derivative of one number in each of several."""
    return [(f([xj + 1j * STEP * (i == j) for j, xj in enumerate(x)]) / STEP).imag for i in range(len(x))]


def jacobian(f: Callable[[Numbers], Numbers], x: Numbers) -> np.ndarray:
    """The derivative of several numbers, rows, in each of several, columns."""
    return np.array([gradient(lambda own, row=row: f(own)[row], x) for row in range(len(f(x)))])  # type: ignore[misc]


def llsq(x: Numbers, n: int) -> Any:
    total = 0.0
    for i in range(n):
        t = -1 + i * 2 / (n - 1)
        s = (t > 0) - (t < 0)
        total += (s - sum(xj * t**j for j, xj in enumerate(x))) ** 2
    return total / 2


def lse(x: Numbers) -> Any:
    top = max(number.real for number in x)
    return top + cmath.log(sum(cmath.exp(number - top) for number in x))


def gmm(numbers: Numbers, given: dict[str, Any]) -> Any:
    """The logarithm of the density itself, with determinants and inverses."""
    d, k, m, gamma = (given[name] for name in ("d", "k", "m", "gamma"))
    taken = iter(numbers)
    alpha, mu, q = _take(taken, k), [_take(taken, d) for _ in range(k)], [_take(taken, d) for _ in range(k)]
    lower = [_take(taken, d * (d - 1) // 2) for _ in range(k)]
    precisions = []
    for diagonal, entries in zip(q, lower, strict=True):
        factor, below = np.zeros((d, d), complex), iter(entries)
        for column in range(d):
            factor[column, column] = cmath.exp(diagonal[column])
            for row in range(column + 1, d):
                factor[row, column] = next(below)
        precisions.append(factor.T @ factor)
    weights = [cmath.exp(a) / sum(cmath.exp(b) for b in alpha) for a in alpha]
    total: Any = 0.0
    for x in given["x"]:
        density: Any = 0.0
        for phi, mean, precision in zip(weights, mu, precisions, strict=True):
            off = np.array(x) - np.array(mean)
            density += phi * cmath.exp(-off @ precision @ off / 2) * cmath.sqrt(_det(precision) / (2 * math.pi) ** d)
        total += cmath.log(density)
    freedom = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma(freedom / 2 - j / 2) for j in range(d))
    for precision in precisions:
        total += (freedom - d - 1) / 2 * cmath.log(_det(precision)) - gamma**2 * np.trace(precision) / 2
        total += freedom * d * math.log(gamma) - freedom * d / 2 * math.log(2) - log_gamma
    return total


def kmeans(centroids: Numbers, points: list[list[float]]) -> Any:
    d = len(points[0])
    own = [centroids[i : i + d] for i in range(0, len(centroids), d)]
    total: Any = 0.0
    for point in points:
        distances = [sum((a - b) ** 2 for a, b in zip(c, point, strict=True)) for c in own]
        total += min(distances, key=lambda distance: distance.real)
    return total


def newton(centroids: Numbers, points: list[list[float]]) -> list[float]:
    """The gradient over the second derivatives, which are a difference, exact for a parabola."""
    first = gradient(lambda own: kmeans(own, points), centroids)
    second = []
    for i, number in enumerate(centroids):
        moved = [*centroids[:i], number + 2**-20, *centroids[i + 1 :]]
        second.append((gradient(lambda own: kmeans(own, points), moved)[i] - first[i]) * 2**20)
    return [a / round(b) for a, b in zip(first, second, strict=True)]


def _det(matrix: np.ndarray) -> Any:
    if len(matrix) == 1:
        return matrix[0, 0]
    minors = (np.delete(matrix[1:], j, axis=1) for j in range(len(matrix)))
    return sum((-1) ** j * matrix[0, j] * _det(minor) for j, minor in enumerate(minors))


def _take(numbers: Iterator[Any], count: int) -> Numbers:
    return [next(numbers) for _ in range(count)]


def _flat(nested: Any) -> Numbers:
    return [number for part in nested for number in _flat(part)] if isinstance(nested, list) else [nested]


def _draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).tolist()


def _arranged(numbers: list[float], like: dict[str, Any]) -> dict[str, Any]:
    taken = iter(numbers)
    return {name: np.reshape(_take(taken, np.size(array)), np.shape(array)).tolist() for name, array in like.items()}


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


GOLDEN: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "hello": lambda: (1.5, {"square": 2.25, "double": 3.0}),
    "llsq": lambda: (
        {"x": _draw(7), "n": 9},
        {"primal": llsq(_draw(7), 9), "gradient": gradient(lambda x: llsq(x, 9), _draw(7))},
    ),
    "lse": lambda: ({"x": _draw(5)}, {"primal": lse(_draw(5)).real, "gradient": gradient(lse, _draw(5))}),
    "gmm": _gmm,
    "kmeans": _kmeans,
}


@cache
def golden(module: str) -> tuple[Any, dict[str, Any]]:
    """Return an input, and the output of each function there."""
    return GOLDEN[module]()
