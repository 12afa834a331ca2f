"""An autoencoder in a function that trains it, all in one."""

import numpy as np


def train_autoencoder(data, hidden=3, steps=50, lr=0.1):
    rng = np.random.RandomState(0)
    n, d = data.shape
    We = rng.randn(d, hidden) * 0.3
    be = np.zeros(hidden)
    Wd = rng.randn(hidden, d) * 0.3
    bd = np.zeros(d)
    for step in range(steps):
        # encode, decode
        a = data @ We + be
        code = 1 / (1 + np.exp(-a))
        recon = code @ Wd + bd
        err = recon - data
        loss = (err ** 2).sum() / n

        drecon = 2 * err / n
        dWd = code.T @ drecon
        dbd = drecon.sum(0)
        dcode = drecon @ Wd.T
        da = dcode * code * (1 - code)
        dWe = data.T @ da
        dbe = da.sum(0)
        for p, g in ((We, dWe), (be, dbe), (Wd, dWd), (bd, dbd)):
            p -= lr * g
    return loss


print(train_autoencoder(np.random.RandomState(1).rand(9, 5)))
