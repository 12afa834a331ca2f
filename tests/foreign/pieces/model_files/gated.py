"""One LSTM step from a given state, every gate a name."""

from array_api_compat import array_namespace

GATES = ("i", "f", "o", "g")
param_shapes = {f"W{gate}": (6, 4) for gate in GATES} | {f"b{gate}": (4,) for gate in GATES}
input_shape = (10,)
target_shape = (4,)


def forward(p, batch, c):
    xp = array_namespace(batch.x)
    x, before = batch.x[:, :6], batch.x[:, 6:]
    c["i"] = 1 / (1 + xp.exp(-(x @ p["Wi"] + p["bi"])))
    c["f"] = 1 / (1 + xp.exp(-(x @ p["Wf"] + p["bf"])))
    c["o"] = 1 / (1 + xp.exp(-(x @ p["Wo"] + p["bo"])))
    c["g"] = xp.tanh(x @ p["Wg"] + p["bg"])
    c["cell"] = c["f"] * before + c["i"] * c["g"]
    c["h"] = c["o"] * xp.tanh(c["cell"])
    c["loss"] = xp.mean((c["h"] - batch.y) ** 2)


def backward(p, batch, c, d):
    xp = array_namespace(batch.x)
    x, before = batch.x[:, :6], batch.x[:, 6:]
    d["h"] = d["loss"] * 2 * (c["h"] - batch.y) / (4 * len(x))
    d["o"] = d["h"] * xp.tanh(c["cell"])
    d["cell"] = d["h"] * c["o"] * (1 - xp.tanh(c["cell"]) ** 2)
    d["i"] = d["cell"] * c["g"]
    d["f"] = d["cell"] * before
    d["g"] = d["cell"] * c["i"]
    ai = d["i"] * c["i"] * (1 - c["i"])
    af = d["f"] * c["f"] * (1 - c["f"])
    ao = d["o"] * c["o"] * (1 - c["o"])
    ag = d["g"] * (1 - c["g"] ** 2)
    d["Wi"], d["Wf"], d["Wo"], d["Wg"] = x.T @ ai, x.T @ af, x.T @ ao, x.T @ ag
    d["bi"] = xp.sum(ai, axis=0)
    d["bf"] = xp.sum(af, axis=0)
    d["bo"] = xp.sum(ao, axis=0)
    d["bg"] = xp.sum(ag, axis=0)
