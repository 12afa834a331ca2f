"""Each evaluation by its definition, one number at a time, and its derivative by complex steps: no autodiff, no array.

Re f is f to the last digit, and Im f(x + i h e) / h its derivative, without a difference of two numbers.
"""

import cmath
import math
from collections.abc import Callable, Iterator
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
    alpha, mu, q = take(taken, k), [take(taken, d) for _ in range(k)], [take(taken, d) for _ in range(k)]
    lower = [take(taken, d * (d - 1) // 2) for _ in range(k)]
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
            density += phi * cmath.exp(-off @ precision @ off / 2) * cmath.sqrt(det(precision) / (2 * math.pi) ** d)
        total += cmath.log(density)
    freedom = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma(freedom / 2 - j / 2) for j in range(d))
    for precision in precisions:
        total += (freedom - d - 1) / 2 * cmath.log(det(precision)) - gamma**2 * np.trace(precision) / 2
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


def ode(x: Numbers, steps: int) -> Numbers:
    y: Numbers = [0.0] * len(x)
    h = 2 / steps

    def slope(y: Numbers) -> Numbers:
        return [x[0], *(x[i] * y[i - 1] for i in range(1, len(x)))]

    def moved(k: Numbers, by: float) -> Numbers:
        return [yi + by * ki for yi, ki in zip(y, k, strict=True)]

    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(moved(k1, h / 2))
        k3 = slope(moved(k2, h / 2))
        k4 = slope(moved(k3, h))
        y = moved([a + 2 * b + 2 * c + d for a, b, c, d in zip(k1, k2, k3, k4, strict=True)], h / 6)
    return y


def lstm(numbers: Numbers, given: dict[str, Any]) -> Any:
    layers, b = len(given["main_params"]) // 2, len(given["sequence"][0])
    taken = iter(numbers)
    main, extra = [take(taken, 4 * b) for _ in range(2 * layers)], [take(taken, b) for _ in range(3)]
    hidden, cell = ([list(row) for row in given["state"][i::2]] for i in range(2))
    total: Any = 0.0
    for bits, following in zip(given["sequence"], given["sequence"][1:], strict=False):
        x = [bit * w for bit, w in zip(bits, extra[0], strict=True)]
        for layer in range(layers):
            weight, bias = main[2 * layer], main[2 * layer + 1]
            for j in range(b):
                reads = (x[j], hidden[layer][j], x[j], hidden[layer][j])
                z = [read * weight[g * b + j] + bias[g * b + j] for g, read in enumerate(reads)]
                forget, ingate, outgate = (1 / (1 + cmath.exp(-each)) for each in z[:3])
                cell[layer][j] = cell[layer][j] * forget + ingate * cmath.tanh(z[3])
                hidden[layer][j] = outgate * cmath.tanh(cell[layer][j])
            x = hidden[layer]
        out = [h * w + o for h, w, o in zip(x, extra[1], extra[2], strict=True)]
        log_sum = cmath.log(2 + sum(cmath.exp(each) for each in out))
        total += sum(bit * (each - log_sum) for bit, each in zip(following, out, strict=True))
    return -total / (b * (len(given["sequence"]) - 1))


def turned(v: Any) -> np.ndarray:
    """The exponential of the cross product, as its series."""
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], complex)
    term, total = np.eye(3, dtype=complex), np.eye(3, dtype=complex)
    for i in range(1, 60):
        term = term @ cross / i
        total = total + term
    return total


def ba(numbers: Numbers, feature: list[float]) -> Numbers:
    """The two errors of one observation, and that of its weight."""
    camera, x, w = np.array(numbers[:11]), np.array(numbers[11:14]), numbers[14]
    place = turned(camera[:3]) @ (x - camera[3:6])
    flat = place[:2] / place[2]
    square = flat @ flat
    pixel = camera[6] * (1 + camera[9] * square + camera[10] * square**2) * flat + camera[7:9]
    return [*(w * (pixel - feature)), 1 - w**2]


def ht(numbers: Numbers, given: dict[str, Any]) -> Numbers:
    """Of a pose and, for each point, its two coordinates."""
    model, theta, us = given["data"]["model"], numbers[:26], numbers[26:]
    frames: list[np.ndarray] = []
    for bone, parent in enumerate(model["parents"]):
        finger, place = divmod(bone - 1, 4)
        turn = np.eye(4, dtype=complex)
        if 0 <= finger < 5 and place > 0:
            own = theta[6 + 4 * finger : 10 + 4 * finger]
            x, z = [own[0], own[2], own[3]][place - 1], own[1] if place == 1 else 0.0
            turn[:3, :3] = turned([0, 0, z]) @ turned([x, 0, 0])
        frames.append((np.eye(4) if parent < 0 else frames[parent]) @ np.array(model["base_relatives"][bone]) @ turn)
    moved = [frame @ np.array(inverse) for frame, inverse in zip(frames, model["inverse_base_absolutes"], strict=True)]
    vertices = []
    for position, weights in zip(model["base_positions"], model["weights"], strict=True):
        vertex = sum(w * (m @ position)[:3] for w, m in zip(weights, moved, strict=True))
        vertex = vertex * ([-1, 1, 1] if model["is_mirrored"] else 1)
        vertices.append(turned(theta[:3]) @ vertex + theta[3:6])
    errors: Numbers = []
    for i, (index, point) in enumerate(zip(given["data"]["correspondences"], given["data"]["points"], strict=True)):
        if us:
            u, v = us[2 * i : 2 * i + 2]
            a, b, c = (vertices[corner] for corner in model["triangles"][index])
            errors += [*(point - (u * a + v * b + (1 - u - v) * c))]
        else:
            errors += [*(point - vertices[index])]
    return errors


def det(matrix: np.ndarray) -> Any:
    if len(matrix) == 1:
        return matrix[0, 0]
    minors = (np.delete(matrix[1:], j, axis=1) for j in range(len(matrix)))
    return sum((-1) ** j * matrix[0, j] * det(minor) for j, minor in enumerate(minors))


def take(numbers: Iterator[Any], count: int) -> Numbers:
    return [next(numbers) for _ in range(count)]
