"""One function that returns the loss and its gradients, as linear classifiers and small networks are written."""

import numpy as np


def softmax_loss(W, X, y, reg):
    num = X.shape[0]
    scores = X.dot(W)
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(num), y]).sum() / num + reg * np.sum(W * W)
    ds = p.copy()
    ds[np.arange(num), y] -= 1
    dW = X.T.dot(ds) / num + 2 * reg * W
    return loss, dW


def svm_loss(W, X, y, reg):
    num = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(num), y][:, None]
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(num), y] = 0
    loss = margins.sum() / num + 0.5 * reg * np.sum(W * W)
    binary = (margins > 0).astype(float)
    binary[np.arange(num), y] = -binary.sum(axis=1)
    dW = X.T.dot(binary) / num + reg * W
    return loss, dW


def two_layer_loss(params, X, y, reg):
    """params and grads are dicts: W1, b1, W2, b2."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    N = X.shape[0]
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[range(N), y]).mean() + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    grads = {}
    dscores = p
    dscores[range(N), y] -= 1
    dscores /= N
    grads["W2"] = h.T @ dscores + 2 * reg * W2
    grads["b2"] = dscores.sum(axis=0)
    dh = dscores @ W2.T
    dh[h <= 0] = 0
    grads["W1"] = X.T @ dh + 2 * reg * W1
    grads["b1"] = dh.sum(axis=0)
    return loss, grads


def ridge(w, b, X, t, lam):
    r = X @ w + b - t
    loss = 0.5 * np.mean(r**2) + 0.5 * lam * w @ w
    dw = X.T @ r / len(t) + lam * w
    db = r.mean()
    return loss, (dw, db)


def logistic(w, b, X, t):
    """Negative log-likelihood of labels t in {0, 1}."""
    z = X @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    dz = (p - t) / len(t)
    return loss, (X.T @ dz, dz.sum())


def matrix_factorisation(U, V, R, seen, lam):
    """Of a rating matrix of which some entries were seen."""
    E = seen * (U @ V.T - R)
    loss = 0.5 * np.sum(E**2) + 0.5 * lam * (np.sum(U**2) + np.sum(V**2))
    dU = E @ V + lam * U
    dV = E.T @ U + lam * V
    return loss, (dU, dV)
