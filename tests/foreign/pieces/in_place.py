"""Code that saves memory by writing over what it was given."""

import numpy as np


def softmax_forward(x):
    """Writes over x."""
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x, x


def softmax_backward(dout, p):
    dout -= (dout * p).sum(axis=1, keepdims=True)
    dout *= p
    return dout


def centre_forward(x):
    x = x.copy()
    x -= x.mean(axis=0)
    return x, None


def centre_backward(dout, _):
    dout -= dout.mean(axis=0)
    return dout


def swish_forward(x, beta):
    s = 1 / (1 + np.exp(-beta * x))
    return x * s, (x, beta, s)


def swish_backward(dout, cache):
    x, beta, s = cache
    dbeta = np.sum(dout * x * x * s * (1 - s))
    dout *= s + beta * x * s * (1 - s)
    return dout, dbeta


def clip_forward(x, lo, hi):
    return np.clip(x, lo, hi), (x, lo, hi)


def clip_backward(dout, cache):
    x, lo, hi = cache
    dout[(x < lo) | (x > hi)] = 0
    return dout, None, None


def noisy_forward(x, w):
    """Draws its own dropout mask at each call."""
    mask = np.random.rand(*x.shape) < 0.8
    return (x * mask) @ w, (x, w, mask)


def noisy_backward(dout, cache):
    x, w, mask = cache
    return (dout @ w.T) * mask, (x * mask).T @ dout


class Stateful:
    """Batch norm that keeps a running mean, and uses it."""

    def __init__(self):
        self.mean = 0.0

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        return x - self.mean
