"""Loops in NumPy: the notebook's own, and the numpy backend's written out without the framework."""

import numpy as np
from jaxtyping import Float

from gradparity_bench.drawn import Order, Task, Trainer


def softmax(Z: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, "n classes"]:
    """exp(Zₖ) / Σⱼ exp(Zⱼ) of each row, shifted by the row's maximum so that no exponential overflows."""
    E: Float[np.ndarray, "n classes"] = np.exp(Z - Z.max(axis=1, keepdims=True))
    P: Float[np.ndarray, "n classes"] = E / E.sum(axis=1, keepdims=True)
    return P


def notebook(task: Task) -> Trainer:
    """Return the notebook's own training: softmax regression by hand, on arrays prepared beforehand."""
    X, labels = task.in_memory()
    ((W, b),) = task.layers
    Y = np.eye(len(b), dtype=np.float32)[labels]

    def epoch(order: Order) -> None:
        nonlocal W, b
        for start in range(0, len(X), task.batch_size):
            batch = order[start : start + task.batch_size]
            x, y = X[batch], Y[batch]

            P = softmax(x @ W + b)
            dZ = (P - y) / len(x)
            dW = x.T @ dZ
            db = dZ.sum(axis=0)

            W -= task.lr * dW
            b -= task.lr * db

    return Trainer(epoch, lambda: task.named([(W, b)]))


def inlined(task: Task) -> Trainer:
    """Return the numpy backend's epoch written out: the same operations, in one function."""
    from threadpoolctl import ThreadpoolController

    images, labels = task.examples.x, task.examples.y
    divisor = np.float32(task.examples.divisor)
    ((W, b),) = task.layers
    classes = np.arange(len(b))[:, None]
    blas = ThreadpoolController()

    def epoch(order: Order) -> None:
        nonlocal W, b
        raw = np.empty_like(images, shape=(min(task.batch_size, len(images)), images.shape[1]))
        X = np.empty(raw.shape, dtype=np.float32)
        losses = []
        with blas.limit(limits=1, user_api="blas"):
            for start in range(0, len(order), task.batch_size):
                index = order[start : start + task.batch_size]
                n = len(index)
                x, y = X[:n], labels[index]
                np.take(images, index, axis=0, out=raw[:n], mode="clip")
                np.copyto(x, raw[:n], casting="unsafe")
                x /= divisor

                Z = x @ W + b
                ZT = np.ascontiguousarray(Z.T)
                top = np.max(ZT, axis=0)
                log_sum_exp = np.log(np.exp(ZT - top).sum(axis=0)) + top
                losses.append((log_sum_exp - Z[np.arange(n), y]).mean())

                # As in the derivation: cross-entropy and softmax are two functions, and each shifts and exponentiates.
                ZT = np.ascontiguousarray(Z.T)
                E = np.exp(ZT - np.max(ZT, axis=0))
                P = (E / E.sum(axis=0)).T
                Y = (classes == y).astype(np.float32).T
                dZ = 1.0 / n * (P - Y)
                dW = x.T @ dZ
                db = dZ.sum(axis=0)

                W -= task.lr * dW
                b -= task.lr * db

    return Trainer(epoch, lambda: task.named([(W, b)]))
