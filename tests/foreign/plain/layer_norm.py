"""Layer norm and dropout in a residual block."""

import numpy as np


def block_loss(x, gain, bias, W, target, rng):
    n, d = x.shape
    mean = x.mean(axis=-1, keepdims=True)
    std = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    normed = (x - mean) / std
    scaled = normed * gain + bias
    mask = (rng.random((n, d)) > 0.2) / 0.8
    dropped = scaled * mask
    out = x + dropped @ W
    loss = ((out - target) ** 2).mean()

    grad_out = 2 * (out - target) / out.size
    grad_W = dropped.T @ grad_out
    grad_dropped = grad_out @ W.T
    grad_scaled = grad_dropped * mask
    grad_gain = (grad_scaled * normed).sum(axis=0)
    grad_bias = grad_scaled.sum(axis=0)
    grad_normed = grad_scaled * gain
    grad_x = grad_out + (grad_normed - grad_normed.mean(-1, keepdims=True) - normed * (grad_normed * normed).mean(-1, keepdims=True)) / std
    return loss, {"x": grad_x, "gain": grad_gain, "bias": grad_bias, "W": grad_W}


rng = np.random.default_rng(0)
args = [rng.normal(size=shape) for shape in [(4, 6), (6,), (6,), (6, 6), (4, 6)]]
loss, grads = block_loss(*args, np.random.default_rng(3))
