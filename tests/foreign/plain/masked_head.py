import numpy as np
class Head:
    """single head causal self attention"""
    def __init__(s, d, k, rng):
        s.Wq, s.Wk, s.Wv = (rng.normal(size=(d, k)) / d ** .5 for _ in range(3))
    def forward(s, x):
        s.x = x
        s.q, s.k, s.v = x @ s.Wq, x @ s.Wk, x @ s.Wv
        s.scale = s.k.shape[-1] ** -.5
        att = s.q @ s.k.T * s.scale
        T = len(x)
        att = np.where(np.tril(np.ones((T, T))) == 1, att, -np.inf)
        e = np.exp(att - att.max(-1, keepdims=True))
        s.p = e / e.sum(-1, keepdims=True)
        return s.p @ s.v
    def backward(s, dout):
        dv = s.p.T @ dout
        dp = dout @ s.v.T
        datt = s.p * (dp - (dp * s.p).sum(-1, keepdims=True))
        datt *= s.scale
        dq = datt @ s.k
        dk = datt.T @ s.q
        s.dWq, s.dWk, s.dWv = s.x.T @ dq, s.x.T @ dk, s.x.T @ dv
        return dq @ s.Wq.T + dk @ s.Wk.T + dv @ s.Wv.T
rng = np.random.default_rng(1)
head = Head(6, 4, rng)
x, tgt = rng.normal(size=(7, 6)), rng.normal(size=(7, 4))
for i in range(2):
    out = head.forward(x)
    loss = ((out - tgt) ** 2).sum() / 2
    head.backward(out - tgt)
    head.Wq -= .1 * head.dWq
