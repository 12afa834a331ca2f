"""Word vectors: skip-gram with a full softmax and with negative samples, and a continuous bag of words."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_softmax(center, U, outside):
    """The loss of one pair: center (d,), U (words, d), outside a word's number."""
    scores = U @ center
    yhat = np.exp(scores) / np.exp(scores).sum()
    loss = -np.log(yhat[outside])
    delta = yhat.copy()
    delta[outside] -= 1
    grad_center = U.T @ delta
    grad_U = np.outer(delta, center)
    return loss, (grad_center, grad_U)


def negative_sampling(center, U, outside, negatives):
    """negatives may hold the same word several times."""
    zo = sigmoid(U[outside] @ center)
    zn = sigmoid(-U[negatives] @ center)
    loss = -np.log(zo) - np.log(zn).sum()
    grad_center = (zo - 1) * U[outside] + (1 - zn) @ U[negatives]
    grad_U = np.zeros_like(U)
    grad_U[outside] += (zo - 1) * center
    np.add.at(grad_U, negatives, (1 - zn)[:, None] * center)
    return loss, (grad_center, grad_U)


def cbow(V, U, context, target):
    """The mean of the context's vectors predicts the word between."""
    h = V[context].mean(axis=0)
    s = U @ h
    p = np.exp(s - s.max())
    p /= p.sum()
    loss = -np.log(p[target])
    e = p.copy()
    e[target] -= 1
    dU = np.outer(e, h)
    dV = np.zeros_like(V)
    for word in context:
        dV[word] += U.T @ e / len(context)
    return loss, (dV, dU)


def glove(W, C, bw, bc, rows, cols, counts):
    """Weighted least squares on the logarithms of counts of pairs."""
    weight = np.minimum(1, (counts / 10) ** 0.75)
    diff = (W[rows] * C[cols]).sum(axis=1) + bw[rows] + bc[cols] - np.log(counts)
    loss = 0.5 * np.sum(weight * diff**2)
    g = weight * diff
    dW, dC, dbw, dbc = np.zeros_like(W), np.zeros_like(C), np.zeros_like(bw), np.zeros_like(bc)
    for k, (i, j) in enumerate(zip(rows, cols)):
        dW[i] += g[k] * C[j]
        dC[j] += g[k] * W[i]
        dbw[i] += g[k]
        dbc[j] += g[k]
    return loss, (dW, dC, dbw, dbc)
