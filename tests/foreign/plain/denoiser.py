import numpy as np


def objective(clean, noisy, net):
    code = np.tanh(noisy @ net["in"]["w"] + net["in"]["b"])
    guess = 1 / (1 + np.exp(-(code @ net["out"]["w"] + net["out"]["b"])))
    m = clean.shape[0]
    bits = -np.sum(clean * np.log(guess) + (1 - clean) * np.log(1 - guess)) / m
    size = 0.5 * np.sum(code**2) / m
    loss = bits + 0.1 * size

    res = {"in": {}, "out": {}}
    dlogits = (guess - clean) / m
    res["out"]["w"] = code.T @ dlogits
    res["out"]["b"] = dlogits.sum(axis=0)
    dcode = dlogits @ net["out"]["w"].T + 0.1 * code / m
    back = dcode * (1 - code**2)
    res["in"]["w"] = noisy.T @ back
    res["in"]["b"] = back.sum(axis=0)
    return loss, res


rng = np.random.default_rng(4)
net = {
    "in": {"w": rng.normal(size=(7, 4)) * 0.5, "b": np.zeros(4)},
    "out": {"w": rng.normal(size=(4, 7)) * 0.5, "b": np.zeros(7)},
}
data = rng.random((9, 7))
for _ in range(3):
    loss, res = objective(data, data + 0.1 * rng.normal(size=data.shape), net)
    for part in net:
        for name in net[part]:
            net[part][name] -= 0.5 * res[part][name]
