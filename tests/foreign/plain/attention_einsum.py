import numpy as np

def self_attention(x, Wq, Wk, Wv, Wo, target):
    B, T, D = x.shape
    q = np.einsum("btd,de->bte", x, Wq)
    k = np.einsum("btd,de->bte", x, Wk)
    v = np.einsum("btd,de->bte", x, Wv)
    scores = np.einsum("bte,bse->bts", q, k) / np.sqrt(q.shape[-1])
    mask = np.tril(np.ones((T, T), dtype=bool))
    scores = np.where(mask, scores, -1e9)
    att = np.exp(scores - scores.max(-1, keepdims=True))
    att = att / att.sum(-1, keepdims=True)
    ctx = np.einsum("bts,bse->bte", att, v)
    out = np.einsum("bte,ed->btd", ctx, Wo)
    diff = out - target
    loss = 0.5 * np.sum(diff ** 2) / B

    dout = diff / B
    dWo = np.einsum("bte,btd->ed", ctx, dout)
    dctx = np.einsum("btd,ed->bte", dout, Wo)
    datt = np.einsum("bte,bse->bts", dctx, v)
    dv = np.einsum("bts,bte->bse", att, dctx)
    dscores = att * (datt - np.sum(datt * att, axis=-1, keepdims=True))
    dscores = dscores / np.sqrt(q.shape[-1])
    dq = np.einsum("bts,bse->bte", dscores, k)
    dk = np.einsum("bts,bte->bse", dscores, q)
    dWq = np.einsum("btd,bte->de", x, dq)
    dWk = np.einsum("btd,bte->de", x, dk)
    dWv = np.einsum("btd,bte->de", x, dv)
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return loss, (dx, dWq, dWk, dWv, dWo)

if __name__ == "__main__":
    rs = np.random.RandomState(3)
    B, T, D, E = 2, 5, 4, 3
    x = rs.randn(B, T, D)
    Wq, Wk, Wv = (rs.randn(D, E) * 0.5 for _ in range(3))
    Wo = rs.randn(E, D) * 0.5
    tgt = rs.randn(B, T, D)
    loss, grads = self_attention(x, Wq, Wk, Wv, Wo, tgt)
    print(loss, [g.shape for g in grads])
