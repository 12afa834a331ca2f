"""Convolution by im2col and pooling by argmax, in plain NumPy."""

import numpy as np


def im2col(x, kh, kw):
    N, C, H, W = x.shape
    oh, ow = H - kh + 1, W - kw + 1
    cols = np.empty((N, C, kh, kw, oh, ow), dtype=x.dtype)
    for i in range(kh):
        for j in range(kw):
            cols[:, :, i, j] = x[:, :, i : i + oh, j : j + ow]
    return cols.transpose(0, 4, 5, 1, 2, 3).reshape(N * oh * ow, -1)


def col2im(cols, shape, kh, kw):
    N, C, H, W = shape
    oh, ow = H - kh + 1, W - kw + 1
    cols = cols.reshape(N, oh, ow, C, kh, kw).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape, dtype=cols.dtype)
    for i in range(kh):
        for j in range(kw):
            x[:, :, i : i + oh, j : j + ow] += cols[:, :, i, j]
    return x


def conv_forward(x, w, b):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    cols = im2col(x, kh, kw)
    out = cols @ w.reshape(F, -1).T + b
    out = out.reshape(N, H - kh + 1, W - kw + 1, F).transpose(0, 3, 1, 2)
    return out, (x.shape, w, cols)


def conv_backward(dout, cache):
    shape, w, cols = cache
    F, _, kh, kw = w.shape
    flat = dout.transpose(0, 2, 3, 1).reshape(-1, F)
    db = dout.sum(axis=(0, 2, 3))
    dw = (flat.T @ cols).reshape(w.shape)
    dx = col2im(flat @ w.reshape(F, -1), shape, kh, kw)
    return dx, dw, db


def max_pool_forward(x):
    """2 by 2, stride 2; returns where each maximum was, too."""
    N, C, H, W = x.shape
    windows = x.reshape(N, C, H // 2, 2, W // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
    where = windows.argmax(axis=-1)
    out = np.take_along_axis(windows, where[..., None], axis=-1)[..., 0]
    return out, where


def max_pool_backward(dout, where):
    N, C, h, w = dout.shape
    dwindows = np.zeros((N, C, h, w, 4))
    np.put_along_axis(dwindows, where[..., None], dout[..., None], axis=-1)
    return dwindows.reshape(N, C, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(N, C, 2 * h, 2 * w)


def avg_pool_forward(x):
    N, C, H, W = x.shape
    return x.reshape(N, C, H // 2, 2, W // 2, 2).mean(axis=(3, 5)), x.shape


def avg_pool_backward(dout, shape):
    return np.repeat(np.repeat(dout, 2, axis=2), 2, axis=3) / 4
