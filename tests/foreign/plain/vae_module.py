import numpy as np
rs = np.random.RandomState(0)
B, D, H, Z = 8, 6, 10, 3
p = {k: rs.randn(*s) * 0.2 for k, s in dict(We=(D, H), be=(H,), Wm=(H, Z), bm=(Z,), Wl=(H, Z), bl=(Z,), Wd=(Z, H), bd=(H,), Wo=(H, D), bo=(D,)).items()}
x = (rs.rand(B, D) > 0.5).astype(float)

def elbo(p, x, eps):
    he = np.tanh(x @ p["We"] + p["be"])
    mu = he @ p["Wm"] + p["bm"]
    logvar = he @ p["Wl"] + p["bl"]
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    hd = np.tanh(z @ p["Wd"] + p["bd"])
    logits = hd @ p["Wo"] + p["bo"]
    xr = 1 / (1 + np.exp(-logits))
    bce = -np.sum(x * np.log(xr) + (1 - x) * np.log(1 - xr)) / len(x)
    kl = -0.5 * np.sum(1 + logvar - mu ** 2 - np.exp(logvar)) / len(x)
    loss = bce + kl

    g = {}
    dlogits = (xr - x) / len(x)
    g["Wo"] = hd.T @ dlogits
    g["bo"] = dlogits.sum(0)
    dhd = dlogits @ p["Wo"].T
    dpre_d = dhd * (1 - hd ** 2)
    g["Wd"] = z.T @ dpre_d
    g["bd"] = dpre_d.sum(0)
    dz = dpre_d @ p["Wd"].T
    dmu = dz + mu / len(x)
    dlogvar = dz * eps * 0.5 * std + 0.5 * (np.exp(logvar) - 1) / len(x)
    g["Wm"] = he.T @ dmu
    g["bm"] = dmu.sum(0)
    g["Wl"] = he.T @ dlogvar
    g["bl"] = dlogvar.sum(0)
    dhe = dmu @ p["Wm"].T + dlogvar @ p["Wl"].T
    dpre_e = dhe * (1 - he ** 2)
    g["We"] = x.T @ dpre_e
    g["be"] = dpre_e.sum(0)
    return loss, g

for step in range(3):
    eps = rs.randn(B, Z)
    loss, g = elbo(p, x, eps)
    for k in p:
        p[k] -= 0.01 * g[k]
    print(step, round(loss, 4))
