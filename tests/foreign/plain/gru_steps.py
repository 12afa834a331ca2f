import numpy as np
def sig(a): return 1/(1+np.exp(-a))
def gru_forward(x, h0, params):
    Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn = params
    T, B, D = x.shape
    h = h0; caches = []; hs = []
    for t in range(T):
        z = sig(x[t] @ Wz + h @ Uz + bz)
        r = sig(x[t] @ Wr + h @ Ur + br)
        hr = r * h
        n = np.tanh(x[t] @ Wn + hr @ Un + bn)
        hnew = (1 - z) * n + z * h
        caches.append((x[t], h, z, r, hr, n))
        h = hnew
        hs.append(h)
    return np.stack(hs), (caches, params)

def gru_backward(dhs, cache):
    caches, params = cache
    Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn = params
    dparams = [np.zeros_like(p) for p in params]
    dWz, dUz, dbz, dWr, dUr, dbr, dWn, dUn, dbn = dparams
    dh = np.zeros_like(dhs[0])
    dx = []
    for t in reversed(range(len(caches))):
        xt, hp, z, r, hr, n = caches[t]
        dh = dh + dhs[t]
        dn = dh * (1 - z)
        dz = dh * (hp - n)
        dan = dn * (1 - n**2)
        dWn += xt.T @ dan; dUn += hr.T @ dan; dbn += dan.sum(0)
        dhr = dan @ Un.T
        dr = dhr * hp
        dar = dr * r * (1 - r)
        daz = dz * z * (1 - z)
        dWr += xt.T @ dar; dUr += hp.T @ dar; dbr += dar.sum(0)
        dWz += xt.T @ daz; dUz += hp.T @ daz; dbz += daz.sum(0)
        dx.insert(0, dan @ Wn.T + dar @ Wr.T + daz @ Wz.T)
        dh = dh * z + dhr * r + dar @ Ur.T + daz @ Uz.T
    return np.stack(dx), dh, tuple(dparams)

def example_inputs():
    rng = np.random.default_rng(8)
    D, H = 3, 4
    shapes = [(D, H), (H, H), (H,)] * 3
    return rng.normal(size=(5, 2, D)), rng.normal(size=(2, H)), tuple(rng.normal(size=s) * .4 for s in shapes)
