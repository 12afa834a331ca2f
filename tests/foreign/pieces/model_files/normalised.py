"""Batch norm between two linear layers, step by step, with weight decay, in a class."""

from array_api_compat import array_namespace

EPS = 1e-5
DECAY = 0.01


class Normalised:
    param_shapes = {"W": (6, 4), "gamma": (4,), "beta": (4,), "V": (4, 3)}
    input_shape = (6,)
    target_shape = (3,)

    def forward(self, p, batch, c):
        xp = array_namespace(batch.x)
        c["z"] = batch.x @ p["W"]
        c["centred"] = c["z"] - xp.mean(c["z"], axis=0)
        c["var"] = xp.mean(c["centred"] ** 2, axis=0)
        c["scale"] = 1 / xp.sqrt(c["var"] + EPS)
        c["hat"] = c["centred"] * c["scale"]
        c["y"] = (c["hat"] * p["gamma"] + p["beta"]) @ p["V"]
        c["loss"] = xp.mean((c["y"] - batch.y) ** 2) + DECAY * xp.sum(p["W"] ** 2)

    def backward(self, p, batch, c, d):
        xp = array_namespace(batch.x)
        n = len(batch.x)
        d["y"] = d["loss"] * 2 * (c["y"] - batch.y) / (n * 3)
        d["V"] = (c["hat"] * p["gamma"] + p["beta"]).T @ d["y"]
        du = d["y"] @ p["V"].T
        d["gamma"] = xp.sum(du * c["hat"], axis=0)
        d["beta"] = xp.sum(du, axis=0)
        d["hat"] = du * p["gamma"]
        d["scale"] = xp.sum(d["hat"] * c["centred"], axis=0)
        d["var"] = d["scale"] * -0.5 * c["scale"] ** 3
        d.add("centred", d["hat"] * c["scale"])
        d.add("centred", 2 * c["centred"] * d["var"] / n)
        d["z"] = d["centred"] - xp.mean(d["centred"], axis=0)
        d.add("W", batch.x.T @ d["z"])
        d.add("W", 2 * DECAY * d["loss"] * p["W"])
