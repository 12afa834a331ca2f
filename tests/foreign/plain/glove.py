"""GloVe on a small matrix of counts."""

import numpy as np


def loss_and_grads(params, counts, x_max=10.0, alpha=0.75):
    W, U, bw, bu = params
    weight = np.minimum(1.0, (counts / x_max) ** alpha)
    diff = W @ U.T + bw[:, None] + bu[None, :] - np.log(counts)
    loss = 0.5 * np.sum(weight * diff ** 2)
    d_diff = weight * diff
    d_W = d_diff @ U
    d_U = d_diff.T @ W
    d_bw = d_diff.sum(axis=1)
    d_bu = d_diff.sum(axis=0)
    return loss, (d_W, d_U, d_bw, d_bu)


rng = np.random.default_rng(0)
counts = rng.integers(1, 20, (6, 6)).astype(float)
params = (rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=6))
loss, grads = loss_and_grads(params, counts)
