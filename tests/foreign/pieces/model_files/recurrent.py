"""A recurrent network over four steps, its loss at the last one."""

from array_api_compat import array_namespace

STEPS = 4
param_shapes = {"Wx": (3, 5), "Wh": (5, 5), "b": (5,), "v": (5,)}
input_shape = (STEPS, 3)
target_shape = ()


def forward(p, batch, c):
    xp = array_namespace(batch.x)
    c["h0"] = xp.tanh(batch.x[:, 0] @ p["Wx"] + p["b"])
    for t in range(1, STEPS):
        c[f"h{t}"] = xp.tanh(batch.x[:, t] @ p["Wx"] + c[f"h{t - 1}"] @ p["Wh"] + p["b"])
    c["out"] = c[f"h{STEPS - 1}"] @ p["v"]
    c["loss"] = xp.mean((c["out"] - batch.y) ** 2)


def backward(p, batch, c, d):
    xp = array_namespace(batch.x)
    d["out"] = d["loss"] * 2 * (c["out"] - batch.y) / len(batch.y)
    d["v"] = c[f"h{STEPS - 1}"].T @ d["out"]
    d[f"h{STEPS - 1}"] = d["out"][:, None] * p["v"]
    for t in range(STEPS - 1, -1, -1):
        da = d[f"h{t}"] * (1 - c[f"h{t}"] ** 2)
        d.add("Wx", batch.x[:, t].T @ da)
        d.add("b", xp.sum(da, axis=0))
        if t > 0:
            d.add("Wh", c[f"h{t - 1}"].T @ da)
            d[f"h{t - 1}"] = da @ p["Wh"].T
