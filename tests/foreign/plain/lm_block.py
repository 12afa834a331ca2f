"""A transformer block with tied embeddings, all backward by hand."""
import numpy as np
rs = np.random.RandomState(42)
V, C, T, B = 7, 6, 4, 2
p = dict(
    wte=rs.randn(V, C) * .3, wpe=rs.randn(T, C) * .3,
    ln_w=1 + .1 * rs.randn(C), ln_b=.1 * rs.randn(C),
    wq=rs.randn(C, C) * .3, wk=rs.randn(C, C) * .3, wv=rs.randn(C, C) * .3, wo=rs.randn(C, C) * .3,
    w1=rs.randn(C, 2 * C) * .3, b1=.1 * rs.randn(2 * C), w2=rs.randn(2 * C, C) * .3,
)

def layernorm_forward(x, w, b):
    mean = x.mean(-1, keepdims=True)
    xc = x - mean
    rstd = 1 / np.sqrt((xc ** 2).mean(-1, keepdims=True) + 1e-5)
    norm = xc * rstd
    out = norm * w + b
    return out, (norm, rstd, w)

def layernorm_backward(dout, cache):
    norm, rstd, w = cache
    db = dout.sum((0, 1))
    dw = (dout * norm).sum((0, 1))
    dnorm = dout * w
    dx = rstd * (dnorm - dnorm.mean(-1, keepdims=True) - norm * (dnorm * norm).mean(-1, keepdims=True))
    return dx, dw, db

def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))

def gelu_backward(dout, x):
    s = np.sqrt(2 / np.pi)
    t = np.tanh(s * (x + 0.044715 * x ** 3))
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t ** 2) * s * (1 + 3 * 0.044715 * x ** 2))

def forward_backward(p, idx, targets):
    x = p["wte"][idx] + p["wpe"]
    h, ln_cache = layernorm_forward(x, p["ln_w"], p["ln_b"])
    q, k, v = h @ p["wq"], h @ p["wk"], h @ p["wv"]
    att = q @ k.transpose(0, 2, 1) / np.sqrt(C)
    att = np.where(np.tril(np.ones((T, T))) > 0, att, -1e9)
    e = np.exp(att - att.max(-1, keepdims=True))
    a = e / e.sum(-1, keepdims=True)
    y = a @ v
    x2 = x + y @ p["wo"]
    m = x2 @ p["w1"] + p["b1"]
    g = gelu(m)
    x3 = x2 + g @ p["w2"]
    logits = x3 @ p["wte"].T
    z = np.exp(logits - logits.max(-1, keepdims=True))
    probs = z / z.sum(-1, keepdims=True)
    bi, ti = np.arange(B)[:, None], np.arange(T)[None]
    loss = -np.log(probs[bi, ti, targets]).mean()

    d = {}
    dlogits = probs.copy()
    dlogits[bi, ti, targets] -= 1
    dlogits /= B * T
    dx3 = dlogits @ p["wte"]
    d["wte"] = np.einsum("btv,btc->vc", dlogits, x3)
    dg = dx3 @ p["w2"].T
    d["w2"] = np.einsum("bti,btj->ij", g, dx3)
    dm = gelu_backward(dg, m)
    d["w1"] = np.einsum("bti,btj->ij", x2, dm)
    d["b1"] = dm.sum((0, 1))
    dx2 = dx3 + dm @ p["w1"].T
    d["wo"] = np.einsum("bti,btj->ij", y, dx2)
    dy = dx2 @ p["wo"].T
    da = dy @ v.transpose(0, 2, 1)
    dv = a.transpose(0, 2, 1) @ dy
    datt = a * (da - (da * a).sum(-1, keepdims=True))
    datt /= np.sqrt(C)
    dq = datt @ k
    dk = datt.transpose(0, 2, 1) @ q
    dh = dq @ p["wq"].T + dk @ p["wk"].T + dv @ p["wv"].T
    d["wq"] = np.einsum("bti,btj->ij", h, dq)
    d["wk"] = np.einsum("bti,btj->ij", h, dk)
    d["wv"] = np.einsum("bti,btj->ij", h, dv)
    dx_ln, d["ln_w"], d["ln_b"] = layernorm_backward(dh, ln_cache)
    dx = dx2 + dx_ln
    d["wpe"] = dx.sum(0)
    np.add.at(d["wte"], idx, dx)
    return loss, d

idx = rs.randint(0, V, (B, T)); targets = rs.randint(0, V, (B, T))
for i in range(3):
    loss, d = forward_backward(p, idx, targets)
    for k in p:
        p[k] -= 0.1 * d[k]
    print(loss)
