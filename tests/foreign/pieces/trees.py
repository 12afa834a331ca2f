"""Functions of dicts, lists and tuples of parameters, with several outputs, and of plain numbers."""

import numpy as np


def mlp_forward(params, x):
    """params is a list of (W, b)."""
    activations = [x]
    for W, b in params[:-1]:
        activations.append(np.tanh(activations[-1] @ W + b))
    W, b = params[-1]
    return activations[-1] @ W + b, activations


def mlp_backward(params, x, dout):
    activations = mlp_forward(params, x)[1]
    grads = []
    for i in reversed(range(len(params))):
        W, _ = params[i]
        if i < len(params) - 1:
            dout = dout * (1 - activations[i + 1] ** 2)
        grads.append((activations[i].T @ dout, dout.sum(axis=0)))
        dout = dout @ W.T
    return grads[::-1], dout


def conditioner(params, x):
    """Returns a dict of two outputs."""
    h = np.tanh(x @ params["shared"]["W"])
    return {"mean": h @ params["mean"], "log_scale": h @ params["scale"]}


def conditioner_vjp(params, x, dy):
    h = np.tanh(x @ params["shared"]["W"])
    dh = dy["mean"] @ params["mean"].T + dy["log_scale"] @ params["scale"].T
    dz = dh * (1 - h**2)
    grads = {
        "shared": {"W": x.T @ dz},
        "mean": h.T @ dy["mean"],
        "scale": h.T @ dy["log_scale"],
    }
    return grads, dz @ params["shared"]["W"].T


def gaussian_kl(mu, logvar, beta):
    """beta is a plain number."""
    return beta * -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))


def gaussian_kl_vjp(mu, logvar, beta, dy):
    dmu = dy * beta * mu
    dlogvar = dy * beta * 0.5 * (np.exp(logvar) - 1)
    dbeta = dy * -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    return dmu, dlogvar, dbeta


def pairwise_distances(a, b):
    d2 = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return d2


def pairwise_distances_vjp(a, b, dy):
    da = 2 * (dy.sum(1)[:, None] * a - dy @ b)
    db = 2 * (dy.sum(0)[:, None] * b - dy.T @ a)
    return da, db


def best(x):
    """The maximum of each row, and where it is."""
    where = x.argmax(axis=1)
    return x[np.arange(len(x)), where], where


def best_vjp(x, dy):
    dbest, _ = dy
    dx = np.zeros_like(x)
    dx[np.arange(len(x)), x.argmax(axis=1)] = dbest
    return (dx,)
