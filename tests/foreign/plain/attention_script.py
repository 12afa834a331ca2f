"""Self-attention in a loop at the top of a script."""

import numpy as np

rng = np.random.default_rng(0)
T, D = 5, 4
x = rng.normal(size=(T, D))
target = rng.normal(size=(T, D))
Wq, Wk, Wv = (rng.normal(size=(D, D)) * 0.5 for _ in range(3))
lr = 0.05

for step in range(30):
    q = x @ Wq
    k = x @ Wk
    v = x @ Wv
    s = q @ k.T / np.sqrt(D)
    a = np.exp(s - s.max(-1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    o = a @ v
    loss = 0.5 * np.sum((o - target) ** 2)

    do = o - target
    dv = a.T @ do
    da = do @ v.T
    ds = a * (da - (da * a).sum(-1, keepdims=True))
    ds /= np.sqrt(D)
    dq = ds @ k
    dk = ds.T @ q
    dWq = x.T @ dq
    dWk = x.T @ dk
    dWv = x.T @ dv

    Wq -= lr * dWq
    Wk -= lr * dWk
    Wv -= lr * dWv
    if step % 10 == 0:
        print(step, loss)
