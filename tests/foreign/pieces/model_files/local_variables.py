"""A regression by a network, derived with variables of its own, which are written to d as they come."""

from array_api_compat import array_namespace

param_shapes = {"U": (5, 4), "s": (4,), "V": (4, 3), "t": (3,)}
input_shape = 5
target_shape = 3


def forward(p, batch, c):
    xp = array_namespace(batch.x)
    a = c["a"] = batch.x @ p["U"] + p["s"]
    h = c["h"] = xp.tanh(a)
    y = c["y"] = h @ p["V"] + p["t"]
    c["loss"] = 0.5 * xp.sum((y - batch.y) ** 2) / len(batch.x)


def backward(p, batch, c, d):
    xp = array_namespace(batch.x)
    h = c["h"]
    dy = (c["y"] - batch.y) / len(batch.x)
    d["y"] = dy
    d["V"] = h.T @ dy
    d["t"] = xp.sum(dy, axis=0)
    dh = dy @ p["V"].T
    d["h"] = dh
    da = dh * (1 - h**2)
    d["a"] = da
    d["U"] = batch.x.T @ da
    d["s"] = xp.sum(da, axis=0)
