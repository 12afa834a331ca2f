"""A bag of words: the mean of the tokens' vectors, and a linear classifier."""

import numpy as np
from array_api_compat import array_namespace

WORDS = 9
param_shapes = {"E": (WORDS, 4), "W": (4, 3), "b": (3,)}
input_shape = 5
num_classes = 3


def example_batch(rng, n):
    return rng.integers(0, WORDS, (n, 5)), rng.integers(0, num_classes, n)


def forward(p, batch, c):
    xp = array_namespace(p["E"])
    c["h"] = xp.mean(p["E"][batch.x], axis=1)
    c["z"] = c["h"] @ p["W"] + p["b"]
    z = c["z"] - xp.max(c["z"], axis=1, keepdims=True)
    log_p = z - xp.log(xp.sum(xp.exp(z), axis=1, keepdims=True))
    c["loss"] = -xp.mean(log_p[xp.arange(len(batch.y)), batch.y])


def backward(p, batch, c, d):
    n, length = batch.x.shape
    e = np.exp(c["z"] - c["z"].max(axis=1, keepdims=True))
    dz = e / e.sum(axis=1, keepdims=True)
    dz[np.arange(n), batch.y] -= 1
    d["z"] = d["loss"] * dz / n
    d["W"] = c["h"].T @ d["z"]
    d["b"] = d["z"].sum(axis=0)
    d["h"] = d["z"] @ p["W"].T
    dE = np.zeros_like(p["E"])
    np.add.at(dE, batch.x, d["h"][:, None, :] / length)
    d["E"] = dE
