"""Losses with a small number against division by zero, which the derivative leaves out."""

import numpy as np


def cross_entropy_forward(logits, onehot):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.sum(onehot * np.log(p + 1e-9)) / len(p)
    return loss, (p, onehot)


def cross_entropy_backward(dloss, cache):
    p, onehot = cache
    return dloss * (p - onehot) / len(p), None


def binary_forward(z, t):
    p = 1 / (1 + np.exp(-z))
    return -np.mean(t * np.log(p + 1e-9) + (1 - t) * np.log(1 - p + 1e-9)), (p, t)


def binary_backward(dloss, cache):
    p, t = cache
    return dloss * (p - t) / p.size, None


def l2_normalize_forward(x):
    s = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    out = x / (s + 1e-9)
    return out, (out, s)


def l2_normalize_backward(dout, cache):
    out, s = cache
    return (dout - out * np.sum(dout * out, axis=1, keepdims=True)) / s


def cosine_forward(a, b):
    na, nb = np.sqrt((a * a).sum(1)), np.sqrt((b * b).sum(1))
    cos = (a * b).sum(1) / (na * nb + 1e-8)
    return cos, (a, b, na, nb, cos)


def cosine_backward(dcos, cache):
    a, b, na, nb, cos = cache
    da = dcos[:, None] * (b / (na * nb)[:, None] - a * (cos / na**2)[:, None])
    db = dcos[:, None] * (a / (na * nb)[:, None] - b * (cos / nb**2)[:, None])
    return da, db


def norm_forward(x):
    """The length of each row; its gradient at a row of zeros is taken to be zero."""
    n = np.sqrt((x**2).sum(axis=1))
    return n, (x, n)


def norm_backward(dn, cache):
    x, n = cache
    safe = np.where(n == 0, 1, n)
    return dn[:, None] * x / safe[:, None]


def rms_forward(x, gain):
    """In single precision inside, as a kernel does it."""
    x32, g32 = x.astype(np.float32), gain.astype(np.float32)
    r = 1 / np.sqrt(np.mean(x32 * x32, axis=-1, keepdims=True) + np.float32(1e-6))
    return (x32 * r * g32).astype(x.dtype), (x32, g32, r)


def rms_backward(dout, cache):
    x32, g32, r = cache
    d32 = dout.astype(np.float32)
    xhat = x32 * r
    gd = d32 * g32
    dx = r * (gd - xhat * np.mean(gd * xhat, axis=-1, keepdims=True))
    dgain = np.sum(d32 * xhat, axis=0)
    return dx.astype(dout.dtype), dgain.astype(dout.dtype)
