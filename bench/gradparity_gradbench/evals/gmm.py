"""gmm: the log posterior of a mixture of normal distributions, and its gradient in weights, means and precisions.

Sources: GradBench, evals/gmm, whose symbols these are; F. Šrajer, Z. Kukelova, A. Fitzgibbon, A Benchmark of Selected
Algorithmic Differentiation Tools (2018), arXiv:1807.10129, section 4.1.
"""

from collections.abc import Mapping
from functools import cache
from math import lgamma, log, pi, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float, Inexact, Int

from gradparity.protocol import Array, Batch, HandDerivation, Params
from gradparity_gradbench.eval import NOTHING, Eval, Function, gradients, values
from gradparity_manual.operations import namespace

param_shapes = {"alpha": 3, "mu": (3, 4), "q": (3, 4), "l": (3, 6)}
input_shape = 4
target_shape = ()


def example_batch(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Draw points; the prior is that of two more degrees of freedom."""
    return rng.normal(size=(n, 4)), np.zeros(n), prior(4, 2.0, 1.25)


def forward(p: Params, batch: Batch, c: Any) -> None:
    """log p(X | θ, φ) + log p(θ), after the determinants are written as sums of q."""
    xp = namespace(p["mu"])
    (n, width), k = batch.x.shape, p["mu"].shape[0]
    m, gamma = batch.extras["m"], batch.extras["gamma"]
    c["scale"] = xp.exp(p["q"])  # (k, d)
    c["Q"] = _lower(p["l"]) + c["scale"][:, :, None] * xp.eye(width, dtype=p["q"].dtype)  # (k, d, d)
    c["Qmu"] = xp.sum(c["Q"] * p["mu"][:, None, :], axis=2)  # (k, d)
    c["z"] = xp.reshape(batch.x @ xp.reshape(c["Q"], (k * width, width)).T, (n, k, width)) - c["Qmu"]
    c["distance"] = xp.sum(c["z"] ** 2, axis=2)  # (n, k)
    c["beta"] = p["alpha"] + xp.sum(p["q"], axis=1) - 0.5 * c["distance"]  # (n, k)
    c["likelihood"] = xp.sum(_log_sum_exp(c["beta"])) - n * (_log_sum_exp(p["alpha"]) + 0.5 * width * log(2 * pi))
    c["prior"] = m * xp.sum(p["q"]) - 0.5 * gamma**2 * xp.sum(c["Q"] ** 2) + k * batch.extras["normaliser"]
    c["loss"] = c["likelihood"] + c["prior"]


def backward(p: Params, batch: Batch, c: Any, d: Any) -> None:
    """Back from the posterior through the responsibilities to the factors Q of the precisions."""
    xp = namespace(p["mu"])
    (n, width), k = batch.x.shape, p["mu"].shape[0]
    m, gamma = batch.extras["m"], batch.extras["gamma"]
    d["likelihood"] = d["loss"]
    d["prior"] = d["loss"]
    d["beta"] = d["likelihood"] * _softmax(c["beta"])  # (n, k)
    of_component = xp.sum(d["beta"], axis=0)  # (k,)
    d["alpha"] = of_component - d["likelihood"] * n * _softmax(p["alpha"])  # (k,)
    d["distance"] = -0.5 * d["beta"]  # (n, k)
    d["z"] = 2 * d["distance"][:, :, None] * c["z"]  # (n, k, d)
    d["Qmu"] = -xp.sum(d["z"], axis=0)  # (k, d)
    of_products = xp.reshape(xp.reshape(d["z"], (n, k * width)).T @ batch.x, (k, width, width))
    d["Q"] = of_products + d["Qmu"][:, :, None] * p["mu"][:, None, :] - d["prior"] * gamma**2 * c["Q"]  # (k, d, d)
    d["mu"] = xp.sum(c["Q"] * d["Qmu"][:, :, None], axis=1)  # (k, d)
    d["scale"] = xp.reshape(d["Q"], (k, width * width))[:, :: width + 1]  # (k, d)
    d["q"] = d["scale"] * c["scale"] + of_component[:, None] + d["prior"] * m  # (k, d)
    d["l"] = xp.take(xp.reshape(d["Q"], (k, width * width)), _own(places(width), d["Q"]), axis=1)  # (k, d(d−1)/2)


@cache
def places(width: int) -> Int[np.ndarray, " entries"]:
    """Return where the entries of l stand in Q, row by row: below the diagonal, column by column."""
    column, row = np.triu_indices(width, 1)
    return (row * width + column).astype(np.int32)


def _lower(entries: Inexact[Array, "k entries"]) -> Inexact[Array, "k d d"]:
    """Put the entries below the diagonal, zeros elsewhere."""
    xp = namespace(entries)
    k, count = entries.shape
    width = (1 + round((1 + 8 * count) ** 0.5)) // 2
    source = np.zeros(width * width, dtype=np.int32)
    source[places(width)] = 1 + np.arange(count)
    padded = xp.concat([xp.zeros((k, 1), dtype=entries.dtype), entries], axis=1)
    return xp.reshape(xp.take(padded, _own(source, entries), axis=1), (k, width, width))


def _own(index: Int[np.ndarray, " n"], like: Array) -> Int[Array, " n"]:
    return namespace(like).asarray(index)


def _log_sum_exp(z: Inexact[Array, "*n k"]) -> Inexact[Array, "*n"]:
    xp = namespace(z)
    top = xp.max(z, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(z - top), axis=-1)) + top[..., 0]


def _softmax(z: Float[Array, "*n k"]) -> Float[Array, "*n k"]:
    xp = namespace(z)
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def prior(width: int, m: float, gamma: float) -> dict[str, np.ndarray]:
    """Return the prior's numbers, by name."""
    numbers = {"m": m, "gamma": gamma, "normaliser": normaliser(width, m, gamma)}
    return {name: np.asarray(number) for name, number in numbers.items()}


def normaliser(width: int, m: float, gamma: float) -> float:
    """Return the logarithm of what makes the Wishart density of one component integrate to 1.

    It is n D log(γ/√2) − log Γ_D(n/2), with n = D + m + 1 degrees of freedom and the multivariate gamma function
    log Γ_D(a) = ¼ D (D − 1) log π + Σⱼ log Γ(a + (1 − j) / 2).
    """
    freedom = width + m + 1
    gammas = sum(lgamma((freedom + 1 - j) / 2) for j in range(1, width + 1))
    return freedom * width * log(gamma / sqrt(2)) - 0.25 * width * (width - 1) * log(pi) - gammas


def read(given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], Batch]:
    """Read the four parameters, the points and the prior's two numbers."""
    p = {name: np.asarray(given[name], dtype=np.float64) for name in param_shapes}
    x = np.asarray(given["x"], dtype=np.float64)
    return p, Batch(x, NOTHING, prior(x.shape[1], float(given["m"]), float(given["gamma"])))


HAND = HandDerivation(forward, backward)
EVAL = Eval(
    read,
    {
        "objective": Function(values(HAND), float),
        "jacobian": Function(gradients(HAND), lambda found: {name: found[name].tolist() for name in param_shapes}),
    },
)
