"""One head of self-attention over a batch of sequences, pooled, to a number."""

import math

from array_api_compat import array_namespace

WIDTH = 4
param_shapes = {"Wq": (3, WIDTH), "Wk": (3, WIDTH), "Wv": (3, WIDTH), "w": (WIDTH,)}
input_shape = (5, 3)
target_shape = ()


def turned(a):
    return array_namespace(a).permute_dims(a, (0, 2, 1))


def forward(p, batch, c):
    xp = array_namespace(batch.x)
    c["q"], c["k"], c["v"] = batch.x @ p["Wq"], batch.x @ p["Wk"], batch.x @ p["Wv"]
    c["s"] = c["q"] @ turned(c["k"]) / math.sqrt(WIDTH)
    e = xp.exp(c["s"])
    c["a"] = e / xp.sum(e, axis=2, keepdims=True)
    c["o"] = xp.mean(c["a"] @ c["v"], axis=1)
    c["out"] = c["o"] @ p["w"]
    c["loss"] = 0.5 * xp.mean((c["out"] - batch.y) ** 2)


def backward(p, batch, c, d):
    xp = array_namespace(batch.x)
    n, length, _ = batch.x.shape
    d["out"] = d["loss"] * (c["out"] - batch.y) / n
    d["w"] = c["o"].T @ d["out"]
    d["o"] = d["out"][:, None] * p["w"]
    do = xp.broadcast_to(d["o"][:, None, :] / length, c["v"].shape)
    d["v"] = turned(c["a"]) @ do
    d["a"] = do @ turned(c["v"])
    d["s"] = c["a"] * (d["a"] - xp.sum(c["a"] * d["a"], axis=2, keepdims=True))
    d["q"] = d["s"] @ c["k"] / math.sqrt(WIDTH)
    d["k"] = turned(d["s"]) @ c["q"] / math.sqrt(WIDTH)
    d["Wq"] = xp.sum(turned(batch.x) @ d["q"], axis=0)
    d["Wk"] = xp.sum(turned(batch.x) @ d["k"], axis=0)
    d["Wv"] = xp.sum(turned(batch.x) @ d["v"], axis=0)
