"""Attention by hand."""

import numpy as np


def attention_forward(q, k, v):
    scale = 1 / np.sqrt(q.shape[-1])
    s = q @ k.T * scale
    s = s - s.max(axis=-1, keepdims=True)
    p = np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True)
    return p @ v, (q, k, v, p, scale)


def attention_backward(dout, cache):
    q, k, v, p, scale = cache
    dv = p.T @ dout
    dp = dout @ v.T
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
    dq = ds @ k * scale
    dk = ds.T @ q * scale
    return dq, dk, dv


def causal_forward(q, k, v):
    """(batch, heads, time, width)"""
    T = q.shape[-2]
    s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    s = np.where(np.tril(np.ones((T, T), dtype=bool)), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return p @ v, (q, k, v, p)


def causal_backward(dout, cache):
    q, k, v, p = cache
    T = q.shape[-2]
    dv = np.swapaxes(p, -1, -2) @ dout
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    ds = np.where(np.tril(np.ones((T, T), dtype=bool)), ds, 0) / np.sqrt(q.shape[-1])
    dq = ds @ k
    dk = np.swapaxes(ds, -1, -2) @ q
    return dq, dk, dv


def multi_head_forward(x, w_qkv, w_out, heads):
    """As one matrix for queries, keys and values: x (time, width)."""
    T, C = x.shape
    qkv = (x @ w_qkv).reshape(T, 3, heads, C // heads).transpose(1, 2, 0, 3)
    y, cache = causal_forward(*qkv)
    merged = y.transpose(1, 0, 2).reshape(T, C)
    return merged @ w_out, (x, w_qkv, w_out, merged, cache)


def multi_head_backward(dout, cache):
    x, w_qkv, w_out, merged, inner = cache
    T, C = x.shape
    heads = inner[0].shape[0]
    dw_out = merged.T @ dout
    dy = (dout @ w_out.T).reshape(T, heads, C // heads).transpose(1, 0, 2)
    dqkv = np.stack(causal_backward(dy, inner)).transpose(2, 0, 1, 3).reshape(T, 3 * C)
    return dqkv @ w_qkv.T, x.T @ dqkv, dw_out, None
