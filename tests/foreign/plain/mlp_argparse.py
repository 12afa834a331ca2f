#!/usr/bin/env python
import argparse
import numpy as np


def one_hot(y, k):
    out = np.zeros((y.size, k))
    out[np.arange(y.size), y] = 1
    return out


def relu(z):
    return np.maximum(z, 0)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def step(W1, b1, W2, b2, X, Y, lr=0.1, *, l2=1e-3):
    n = len(X)
    z1 = X @ W1 + b1
    h1 = relu(z1)
    z2 = h1 @ W2 + b2
    p = softmax(z2)
    loss = -np.mean(np.sum(Y * np.log(p + 1e-12), axis=1)) + 0.5 * l2 * (np.sum(W1**2) + np.sum(W2**2))

    dz2 = (p - Y) / n
    dW2 = h1.T @ dz2 + l2 * W2
    db2 = dz2.sum(0)
    dh1 = dz2 @ W2.T
    dz1 = dh1 * (z1 > 0)
    dW1 = X.T @ dz1 + l2 * W1
    db1 = dz1.sum(0)

    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
    return loss


def main():
    parser = argparse.ArgumentParser(description="train a small MLP")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.1)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 8))
    y = rng.integers(0, 3, 64)
    W1 = rng.normal(size=(8, args.hidden)) * 0.3
    b1 = np.zeros(args.hidden)
    W2 = rng.normal(size=(args.hidden, 3)) * 0.3
    b2 = np.zeros(3)
    for e in range(args.epochs):
        loss = step(W1, b1, W2, b2, X, one_hot(y, 3), args.lr)
        print(f"epoch {e}: loss {loss:.4f}")


if __name__ == "__main__":
    main()
