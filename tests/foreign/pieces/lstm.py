"""LSTM and GRU cells, and an LSTM over a sequence, with the four gates in one matrix."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c)


def lstm_step_backward(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c = cache
    tc = np.tanh(next_c)
    dnext_c += dnext_h * o * (1 - tc**2)
    di = dnext_c * g
    df = dnext_c * prev_c
    do = dnext_h * tc
    dg = dnext_c * i
    da = np.hstack([i * (1 - i) * di, f * (1 - f) * df, o * (1 - o) * do, (1 - g**2) * dg])
    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dprev_c = dnext_c * f
    dWx = x.T @ da
    dWh = prev_h.T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dprev_c, dWx, dWh, db


def lstm_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    h, c = h0, np.zeros_like(h0)
    hs, caches = [], []
    for t in range(T):
        h, c, cache = lstm_step_forward(x[:, t], h, c, Wx, Wh, b)
        hs.append(h)
        caches.append(cache)
    return np.stack(hs, axis=1), caches


def lstm_backward(dh, caches):
    N, T, H = dh.shape
    dx, dWx, dWh, db = [], 0, 0, 0
    dh_next, dc_next = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        dxt, dh_next, dc_next, dWxt, dWht, dbt = lstm_step_backward(dh[:, t] + dh_next, dc_next, caches[t])
        dx.insert(0, dxt)
        dWx += dWxt
        dWh += dWht
        db += dbt
    return np.stack(dx, axis=1), dh_next, dWx, dWh, db


def gru_forward(x, h, Wz, Wr, Wn, Uz, Ur, Un):
    z = sigmoid(x @ Wz + h @ Uz)
    r = sigmoid(x @ Wr + h @ Ur)
    n = np.tanh(x @ Wn + (r * h) @ Un)
    out = (1 - z) * n + z * h
    return out, (x, h, Wz, Wr, Wn, Uz, Ur, Un, z, r, n)


def gru_backward(dout, cache):
    x, h, Wz, Wr, Wn, Uz, Ur, Un, z, r, n = cache
    dz = dout * (h - n) * z * (1 - z)
    dn = dout * (1 - z) * (1 - n**2)
    drh = dn @ Un.T
    dr = drh * h * r * (1 - r)
    dh = dout * z + drh * r + dz @ Uz.T + dr @ Ur.T
    dx = dz @ Wz.T + dr @ Wr.T + dn @ Wn.T
    return dx, dh, x.T @ dz, x.T @ dr, x.T @ dn, h.T @ dz, h.T @ dr, (r * h).T @ dn
