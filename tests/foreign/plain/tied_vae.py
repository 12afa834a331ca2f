import numpy as np


def elbo(x, eps, p):
    h = np.tanh(x @ p["enc"] + p["enc_b"])
    mu = h @ p["mu"]
    logvar = h @ p["logvar"]
    std = np.exp(0.5 * logvar)
    z = mu + eps * std
    rec = z @ p["dec"] + p["dec_b"]
    n = len(x)
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / n
    loss = 0.5 * np.sum((rec - x) ** 2) / n + kl

    out = {}
    r = (rec - x) / n
    out["dec"] = z.T @ r
    out["dec_b"] = r.sum(0)
    dz = r @ p["dec"].T
    dmu = dz + mu / n
    dlogvar = dz * eps * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / n
    out["mu"] = h.T @ dmu
    out["logvar"] = h.T @ dlogvar
    dh = dmu @ p["mu"].T + dlogvar @ p["logvar"].T
    t = dh * (1 - h**2)
    out["enc"] = x.T @ t
    out["enc_b"] = t.sum(0)
    return loss, out


rng = np.random.default_rng(1)
p = {
    "enc": rng.normal(size=(6, 5)) * 0.4,
    "enc_b": np.zeros(5),
    "mu": rng.normal(size=(5, 2)) * 0.4,
    "logvar": rng.normal(size=(5, 2)) * 0.4,
    "dec": rng.normal(size=(2, 6)) * 0.4,
    "dec_b": np.zeros(6),
}
memory = {k: np.zeros_like(v) for k, v in p.items()}
x = rng.normal(size=(9, 6))
for step in range(20):
    loss, out = elbo(x, rng.normal(size=(9, 2)), p)
    for k in p:
        memory[k] = 0.9 * memory[k] + out[k]
        p[k] = p[k] - 0.01 * memory[k]
