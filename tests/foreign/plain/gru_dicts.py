import numpy as np
rng = np.random.RandomState(2)
D, H, T = 3, 4, 5
p = {k: rng.randn(H, D) * .4 for k in ("Wz", "Wr", "Wh")}
p.update({k: rng.randn(H, H) * .4 for k in ("Uz", "Ur", "Uh")})
p.update({k: np.zeros((H, 1)) for k in ("bz", "br", "bh")})
p["Wy"] = rng.randn(2, H); p["by"] = np.zeros((2, 1))
sigm = lambda x: 1 / (1 + np.exp(-x))
def bptt(xs, ys, p):
    h, z, r, hh, s, y = {-1: np.zeros((H, 1))}, {}, {}, {}, {}, {}
    loss = 0
    for t in range(len(xs)):
        z[t] = sigm(p["Wz"] @ xs[t] + p["Uz"] @ h[t-1] + p["bz"])
        r[t] = sigm(p["Wr"] @ xs[t] + p["Ur"] @ h[t-1] + p["br"])
        s[t] = r[t] * h[t-1]
        hh[t] = np.tanh(p["Wh"] @ xs[t] + p["Uh"] @ s[t] + p["bh"])
        h[t] = (1 - z[t]) * h[t-1] + z[t] * hh[t]
        y[t] = p["Wy"] @ h[t] + p["by"]
        loss += np.sum((y[t] - ys[t]) ** 2)
    g = {k: np.zeros_like(v) for k, v in p.items()}
    dhnext = np.zeros((H, 1))
    for t in reversed(range(len(xs))):
        dy = 2 * (y[t] - ys[t])
        g["Wy"] += dy @ h[t].T
        g["by"] += dy
        dh = p["Wy"].T @ dy + dhnext
        dhh = dh * z[t]
        dz = dh * (hh[t] - h[t-1])
        dah = dhh * (1 - hh[t] ** 2)
        daz = dz * z[t] * (1 - z[t])
        ds = p["Uh"].T @ dah
        dr = ds * h[t-1]
        dar = dr * r[t] * (1 - r[t])
        for n, da, inp in (("h", dah, s[t]), ("z", daz, h[t-1]), ("r", dar, h[t-1])):
            g["W" + n] += da @ xs[t].T
            g["U" + n] += da @ inp.T
            g["b" + n] += da
        dhnext = dh * (1 - z[t]) + ds * r[t] + p["Uz"].T @ daz + p["Ur"].T @ dar
    return loss, g
xs = [rng.randn(D, 1) for _ in range(T)]; ys = [rng.randn(2, 1) for _ in range(T)]
for it in range(3):
    loss, g = bptt(xs, ys, p)
    for k in p: p[k] -= .01 * g[k]
